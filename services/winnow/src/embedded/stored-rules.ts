import type { RuleSet } from "@winnow/contracts";
import type { CompiledRuleSet } from "@winnow/core";
import { assert, WinnowError } from "@winnow/platform";
import type { Clock, EventLog, Hash, IncidentStore, WindowStore } from "@winnow/ports";
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
}

/**
 * Stores the rule set, makes it the newest generation unless it is that already, and puts the activation into every
 * partition that has not reached it. Safe to repeat: generations only rise.
 */
export async function activateRuleSet(
  set: RuleSet,
  parts: ActivationParts,
): Promise<{ digest: string; generation: number }> {
  const { store, windows, log, clock, hash } = parts;
  const { digest } = compileRuleSet(set, { hash });
  await store.putRuleSet({ digest, text: canonicalJson(set), stored_ms: clock.now() });
  const activation = await store.activate(digest);
  const metas = await windows.metas("B");
  for (let partition = 0; partition < log.partitions; partition += 1) {
    const reached = metas.find((one) => one.partition === partition)?.meta?.rule_generation ?? 0;
    if (reached >= activation.generation) continue;
    const value = { kind: "rules" as const, at_ms: clock.now(), ...activation };
    await log.append("transitions", partition, [{ value, events: 0 }]);
  }
  return activation;
}
