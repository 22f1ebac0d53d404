import type { RuleSet } from "@winnow/contracts";
import type { CompiledRuleSet } from "@winnow/core";
import { assert, type Logger, WinnowError } from "@winnow/platform";
import type { Activation, Clock, EventLog, Hash, IncidentStore, WindowStore } from "@winnow/ports";
import { canonicalJson, compileRuleSet, parseRules } from "@winnow/rules";
import type { RuleBook } from "@winnow/runtime";

/** Rule sets by digest, out of the incident store, compiled once each. */
export class StoredRuleBook implements RuleBook {
  readonly initial: CompiledRuleSet;
  readonly #store: IncidentStore;
  readonly #hash: Hash;
  readonly #compiled = new Map<string, Promise<CompiledRuleSet>>();

  constructor(store: IncidentStore, hash: Hash) {
    this.#store = store;
    this.#hash = hash;
    const alone = parseRules("rules: []", "(built-in)");
    assert(alone.ok, "the empty list of rules is valid");
    this.initial = compileRuleSet(alone.ruleSet, { hash });
  }

  async get(digest: string): Promise<CompiledRuleSet> {
    if (digest === this.initial.digest) return this.initial;
    const known = this.#compiled.get(digest);
    if (known !== undefined) return known;
    const compiling = this.#load(digest);
    this.#compiled.set(digest, compiling);
    // A set that could not be had is asked for again the next time.
    compiling.catch(() => this.#compiled.delete(digest));
    return compiling;
  }

  async #load(digest: string): Promise<CompiledRuleSet> {
    const stored = await this.#store.ruleSet(digest);
    if (stored === null)
      throw new WinnowError("rule_set_missing", "an activated rule set is not stored", { fields: { digest } });
    return compileRuleSet(JSON.parse(stored.text) as RuleSet, { hash: this.#hash });
  }
}

export interface ActivationParts {
  readonly store: IncidentStore;
  readonly windows: WindowStore;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly logger: Logger;
}

const retryMs = 1_000;

/** Puts rule sets in force: stored by digest, a generation each, and a record in every partition of `transitions`. */
export class RuleActivator {
  readonly #parts: ActivationParts;
  readonly #stopping = new AbortController();
  /** The newest generation that this process has put into each partition; stage B may not have come to it yet. */
  readonly #put = new Map<number, number>();
  #repairing: Promise<void> | null = null;

  constructor(parts: ActivationParts) {
    this.#parts = parts;
  }

  /**
   * Stores the set and makes it the newest generation unless it is that already. Rejects when that failed: then nothing
   * has changed. Partitions whose log takes no writes just now get their record as soon as it does.
   */
  async activate(set: RuleSet): Promise<Activation> {
    const { store, clock, hash, logger } = this.#parts;
    const { digest } = compileRuleSet(set, { hash });
    await store.putRuleSet({ digest, text: canonicalJson(set), stored_ms: clock.now() });
    const activation = await store.activate(digest);
    if (await this.#spread(activation)) return activation;
    logger.warn("some partitions get the new rules once the log takes writes", { generation: activation.generation });
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = null;
    });
    return activation;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#repairing;
  }

  async #repair(): Promise<void> {
    const { store, clock, logger } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await clock.sleep(retryMs, signal);
      try {
        const newest = await store.activation();
        if (newest === null || !(await this.#spread(newest))) continue;
        // A newer one may have come meanwhile, and relies on this.
        if ((await store.activation())?.generation === newest.generation) return;
      } catch (error) {
        logger.warn("the rules could not be brought to all partitions; tried again", { error });
      }
    }
  }

  /** A partition may get a record twice, from this process and one before it: generations only rise, so that is harmless. */
  async #spread({ generation, digest }: Activation): Promise<boolean> {
    const { windows, log, clock } = this.#parts;
    const metas = await windows.metas("B").catch(() => null);
    if (metas === null) return false;
    let isWhole = true;
    for (let partition = 0; partition < log.partitions; partition += 1) {
      const committed = metas.find((one) => one.partition === partition)?.meta?.rule_generation ?? 0;
      if (Math.max(committed, this.#put.get(partition) ?? 0) >= generation) continue;
      const value = { kind: "rules" as const, at_ms: clock.now(), generation, digest };
      try {
        await log.append("transitions", partition, [{ value, events: 0 }]);
        this.#put.set(partition, generation);
      } catch (error) {
        if (!(error instanceof WinnowError)) throw error;
        isWhole = false;
      }
    }
    return isWhole;
  }
}
