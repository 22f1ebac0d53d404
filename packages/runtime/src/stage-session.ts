import type { LogValue, Outcome, OutputId } from "@winnow/contracts";
import {
  type CompiledRuleSet,
  type Decision,
  type DecisionContext,
  type Emission,
  engineVersion,
  partitionOf,
  type Stage,
  StateMissing,
} from "@winnow/core";
import type { CommitMeta, CommitResult, Refusal, StoredRecord } from "@winnow/ports";
import type { Checkpointer } from "./checkpointer.ts";
import { namesEngine, startingEngine, tooNew, tooOld } from "./engine-change.ts";
import { boundsOf } from "./log-bounds.ts";
import { LogClock } from "./log-clock.ts";
import { Marks } from "./marks.ts";
import { PartitionClock } from "./partition-clock.ts";
import { ClaimLost, checkClaim, type PartitionSession } from "./partition-loop.ts";
import { Publisher } from "./publisher.ts";
import { onLogTime, timeOf } from "./record-time.ts";
import { claimRestored } from "./restore.ts";
import { checkpointerOf, type StageDependencies } from "./stage-dependencies.ts";
import { StateCache } from "./state-cache.ts";

/**
 * How far stage A's ticks are held back at most for records that receivers have not shipped yet; ms. Beyond it time goes
 * on without them, so that a receiver that is gone for good stops no timer.
 */
const heldBackMsMax = 60_000;

interface Counters {
  outcomes: Partial<Record<Outcome, number>>;
  seen: number;
  passed: number;
  settled: number;
}

interface Opened<Item> {
  readonly stage: Stage<Item>;
  readonly partition: number;
  readonly token: string;
  readonly logId: string;
  readonly position: number;
  readonly engine: number;
  readonly catchUpTo: number;
}

/** One claim of one partition of stage A or B. The only writer while the store accepts its token. */
export class StageSession<Item> implements PartitionSession {
  readonly #stage: Stage<Item>;
  readonly #partition: number;
  readonly #token: string;
  readonly #deps: StageDependencies;
  readonly #cache: StateCache;
  readonly #marks: Marks;
  readonly #publisher: Publisher;
  readonly #checkpointer: Checkpointer | null;
  readonly #counters: Counters;
  readonly #logId: string;
  #position: number;
  #committed: number;
  readonly #clock: PartitionClock;
  #rules: CompiledRuleSet;
  #generation: number;
  #engine: number;
  #unsaved = false;
  readonly #logClock: LogClock;
  /** Below this offset of the input an owner before us may have published what our commit does not show yet. */
  readonly #catchUpTo: number;

  private constructor(
    opened: Opened<Item>,
    meta: CommitMeta | null,
    parts: { cache: StateCache; publisher: Publisher; checkpointer: Checkpointer | null; rules: CompiledRuleSet },
    deps: StageDependencies,
  ) {
    this.#stage = opened.stage;
    this.#partition = opened.partition;
    this.#token = opened.token;
    this.#logId = opened.logId;
    this.#position = opened.position;
    this.#committed = opened.position;
    this.#catchUpTo = opened.catchUpTo;
    this.#deps = deps;
    this.#logClock = new LogClock(deps.clock);
    this.#cache = parts.cache;
    this.#publisher = parts.publisher;
    this.#checkpointer = parts.checkpointer;
    this.#rules = parts.rules;
    this.#marks = new Marks(meta?.marks ?? {});
    this.#clock = new PartitionClock(meta);
    this.#generation = meta?.rule_generation ?? 0;
    this.#engine = opened.engine;
    this.#counters = {
      outcomes: { ...meta?.outcomes },
      seen: meta?.seen ?? 0,
      passed: meta?.passed ?? 0,
      settled: meta?.settled ?? 0,
    };
  }

  /** Claims the partition and reads its whole commit. */
  static async open<Item>(
    stage: Stage<Item>,
    at: { readonly partition: number; readonly token: string; readonly signal: AbortSignal },
    deps: StageDependencies,
  ): Promise<StageSession<Item>> {
    const { partition, token, signal } = at;
    const place = { stage: stage.id, partition };
    const claim = await claimRestored({ ...place, topic: stage.input }, token, deps);
    const meta = claim.meta;
    const input = { topic: stage.input, partition };
    const stands = () => deps.windows.verify(place, token, meta?.position ?? 0);
    const stored = await checkClaim(deps.log, input, { stored: meta, stands });
    const engine = await startingEngine(input, claim, deps);
    const rules =
      meta === null || meta.rule_generation === 0 ? deps.rules.initial : await deps.rules.get(meta.rule_digest);
    const publisher = new Publisher({
      log: deps.log,
      clock: deps.clock,
      from: { stage: stage.id, partition },
      published: meta?.published ?? {},
      signal,
    });
    const cache = new StateCache(claim.deadlines, deps.cacheMax, (key) => stage.keepsInMemory(key));
    const catchUpTo = claim.handedOver ? 0 : (await boundsOf(deps.log, stage.input, partition)).end_offset;
    const opened = { stage, partition, token, logId: stored.log_id, position: stored.position, engine, catchUpTo };
    const checkpointer = checkpointerOf({ at: place, token, signal, claim }, deps);
    const session = new StageSession(opened, meta, { cache, publisher, checkpointer, rules }, deps);
    if (claim.handedOver) await session.#takeOver();
    if (engine === engineVersion && !namesEngine(claim.checkpoint, engine)) await session.#establishEngine();
    if (stage.id === "A") await session.tick();
    return session;
  }

  get position(): number {
    return this.#position;
  }

  get committed(): number {
    return this.#committed;
  }

  dirty(): boolean {
    return this.#unsaved;
  }

  nextDeadline(): number | null {
    const deadline = this.#cache.deadlines.next();
    if (deadline === null) return null;
    return this.#clock.dueAt(deadline) + this.#heldBackMs() + this.#logClock.correctionMs();
  }

  /** An alert may be on its way that is older than this moment: no timer of A fires before it. */
  #heldBackMs(): number {
    const unshipped = this.#stage.id === "A" ? (this.#deps.facts.unshippedMs?.() ?? 0) : 0;
    return Math.min(Math.max(unshipped, 0), heldBackMsMax);
  }

  async tick(): Promise<number> {
    const { log, clock, facts } = this.#deps;
    const value = {
      kind: "tick" as const,
      at_ms: this.#logClock.now() - this.#heldBackMs(),
      ready_since_ms: facts.readySince(),
      delivered_ms: this.#stage.id === "A" ? facts.delivered() : {},
    };
    const at = clock.now();
    const offset = await log.append(this.#stage.input, this.#partition, [{ value, events: 0 }]);
    this.#logClock.ticked(offset, at);
    return offset;
  }

  /** What lies below the checkpoint, or where the window store itself is durable, below the commit. */
  async trimBelow(): Promise<number> {
    return this.#checkpointer === null ? this.#committed : this.#checkpointer.trimBelow();
  }

  async handOver(): Promise<void> {
    await this.#checkpointer?.finish();
    if (this.#committed >= this.#catchUpTo) await this.#markHandedOver();
  }

  /** Says that nothing behind the commit has been decided by this engine or an older one. */
  async #markHandedOver(): Promise<void> {
    if (this.#unsaved || this.#committed === 0) return;
    await this.#recommit({ ...this.#meta(), handed_over: true });
  }

  /** From the first output on that is published, the last owner's good order counts no more. */
  async #takeOver(): Promise<void> {
    const result = await this.#recommit(this.#meta());
    if ("refused" in result) throw new ClaimLost(result);
  }

  /** Before anything is decided by a new engine: an emptied window store would else let an older one decide it again. */
  async #establishEngine(): Promise<void> {
    await this.#checkpointer?.establish(this.#meta());
  }

  /** Says something else of the commit that stands. */
  #recommit(meta: CommitMeta): Promise<CommitResult> {
    return this.#deps.windows.commit(this.#where(), this.#token, this.#committed, { meta, changes: [] });
  }

  async verify(): Promise<Refusal["refused"] | null> {
    if (await this.#deps.windows.verify(this.#where(), this.#token, this.#committed)) {
      this.#checkpointer?.turn();
      return null;
    }
    const why = await this.#deps.windows.load(this.#where(), this.#token, this.#committed, []);
    return "refused" in why ? why.refused : "position";
  }

  async prefetch(records: readonly StoredRecord[]): Promise<void> {
    const keys = new Set<string>();
    for (const record of records)
      for (const item of this.#stage.items(record.value))
        for (const key of this.#stage.prefetch(item)) if (!this.#cache.has(key)) keys.add(key);
    if (keys.size > 0) await this.#load([...keys]);
  }

  async process(record: StoredRecord): Promise<number> {
    const value = record.value;
    this.#logClock.read(record);
    if (this.#engine !== engineVersion || value.kind === "engine") await this.#meetEngine(value, record.offset);
    // No time passes with it: the old engine and the new one both stand right behind it with the same outputs.
    if (value.kind === "engine") return this.#passed(record, 0);
    const time = timeOf(record);
    const items = this.#newItems(value, time);
    this.#clock.pass(record.appended_ms, time);
    await this.#passTime(record);
    if (value.kind === "rules") await this.#takeRules(value.generation, value.digest);
    if (items.length > 0) await this.#decideItems(items, record.offset);
    return this.#passed(record, items.length);
  }

  #passed(record: StoredRecord, items: number): number {
    this.#position = record.offset + 1;
    this.#unsaved = true;
    return items;
  }

  /** Items that no earlier record brought: what the marks let through. */
  #newItems(value: LogValue, time: number): readonly Item[] {
    if (value.kind === "events") return this.#marks.takeEvents(value) ? this.#stage.items(onLogTime(value, time)) : [];
    if (value.kind === "outputs") {
      const items = this.#marks.takeOutputs(value);
      return items.length === 0 ? [] : this.#stage.items({ ...value, items });
    }
    return this.#stage.items(value);
  }

  /** The clock has moved: facts of a tick first, then deadlines in order, cascades included. */
  async #passTime({ value, offset }: StoredRecord): Promise<void> {
    if (value.kind === "tick") {
      const decision = await this.#decide(() => this.#stage.tick(value, this.#cache.read, this.#context(offset, -1)));
      this.#cache.apply(decision.writes, offset);
    }
    let n = 0;
    for (let key = this.#due(); key !== null; key = this.#due()) {
      const due = key;
      const context = this.#context(offset, -1);
      const decision = await this.#decide(() => this.#stage.fire(due, this.#cache.read, context), due, context);
      this.#cache.apply(decision.writes, offset);
      if (!decision.writes.has(due)) await this.#dropDeadline(due, offset);
      for (const emission of decision.emissions) this.#publish(emission, [offset, -1, n++]);
    }
  }

  /** A timer that could not be decided is over in the store too: else it would fire again after the next claim. */
  async #dropDeadline(key: string, offset: number): Promise<void> {
    if (!this.#cache.has(key)) await this.#load([key]);
    this.#cache.dropDeadline(key, offset);
  }

  #due(): string | null {
    return this.#cache.deadlines.takeDue(this.#clock.now);
  }

  async #decideItems(items: readonly Item[], offset: number): Promise<void> {
    const emissions: Emission[] = [];
    let index = 0;
    for (const item of items) {
      const context = this.#context(offset, index);
      const decide = () => this.#stage.decide(item, this.#cache.read, context);
      const decision = this.#decideNow(decide) ?? (await this.#decide(decide, item, context));
      this.#cache.apply(decision.writes, offset);
      for (const emission of decision.emissions) emissions.push(emission);
      if (this.#stage.accountable(item)) this.#account(decision);
      index += 1;
    }
    let n = 0;
    for (const emission of this.#stage.coalesce(emissions)) this.#publish(emission, [offset, 0, n++]);
  }

  /** The usual case without a promise: everything is in memory. Null: decide the long way. */
  #decideNow(decide: () => Decision): Decision | null {
    try {
      return decide();
    } catch {
      // A missing state or a poisonous item: the long way tells which, and counts it.
      return null;
    }
  }

  /** Decides, loading what is missing; an item that cannot be decided becomes a dead letter. */
  async #decide(decide: () => Decision, item?: Item | string, context?: DecisionContext): Promise<Decision> {
    for (;;) {
      try {
        return decide();
      } catch (error) {
        if (error instanceof StateMissing) {
          await this.#load([error.key]);
          continue;
        }
        if (item === undefined || context === undefined) throw error;
        return this.#stage.bury(item, error instanceof Error ? error.message : String(error), context);
      }
    }
  }

  #account(decision: Decision): void {
    if (this.#stage.id === "A") this.#counters.seen += 1;
    else this.#counters.settled += 1;
    if (decision.passed) this.#counters.passed += 1;
    const outcome = decision.outcome;
    if (outcome === null) return;
    this.#counters.outcomes[outcome] = (this.#counters.outcomes[outcome] ?? 0) + 1;
  }

  #context(offset: number, index: number): DecisionContext {
    return {
      now: this.#clock.now,
      origin: { partition: this.#partition, offset, index },
      rules: this.#rules,
      ruleGeneration: this.#generation,
      hash: this.#deps.hash,
    };
  }

  #publish(emission: Emission, id: OutputId): void {
    const partition = partitionOf(emission.key, this.#deps.log.partitions);
    this.#publisher.publish({ topic: emission.topic, partition }, id, emission.body, this.#clock.now);
  }

  async #load(keys: readonly string[]): Promise<void> {
    const result = await this.#deps.windows.load(this.#where(), this.#token, this.#committed, keys);
    if ("refused" in result) throw new ClaimLost(result);
    this.#cache.loaded(keys, result.rows);
  }

  async #takeRules(generation: number, digest: string): Promise<void> {
    if (generation <= this.#generation) return;
    this.#rules = await this.#deps.rules.get(digest);
    this.#generation = generation;
  }

  /** A new engine decides from its engine record on, an old one no more: both commit and checkpoint right behind it. */
  async #meetEngine(value: LogValue, offset: number): Promise<void> {
    if (value.kind !== "engine") throw tooNew(this.#engine);
    if (value.version <= this.#engine) return;
    this.#engine = value.version;
    this.#position = offset + 1;
    this.#unsaved = true;
    const result = await this.commit();
    if ("refused" in result) throw new ClaimLost(result);
    if (value.version <= engineVersion) return this.#establishEngine();
    await this.#checkpointer?.finish();
    // Older engines decide nothing behind the record, however far they had come.
    await this.#markHandedOver();
    throw tooOld(`the log goes on with engine version ${value.version}`);
  }

  async commit(): Promise<CommitResult> {
    await this.#publisher.drain();
    const meta = this.#meta();
    const changes = this.#cache.changes();
    const result = await this.#deps.windows.commit(this.#where(), this.#token, this.#committed, { meta, changes });
    if ("refused" in result) return result;
    this.#cache.committed();
    this.#committed = meta.position;
    this.#unsaved = false;
    this.#checkpointer?.committed(meta, changes);
    return result;
  }

  #meta(): CommitMeta {
    return {
      position: this.#position,
      log_id: this.#logId,
      ...this.#clock.toMeta(),
      rule_generation: this.#generation,
      rule_digest: this.#rules.digest,
      engine_version: this.#engine,
      marks: this.#marks.toJSON(),
      published: this.#publisher.published(),
      outcomes: { ...this.#counters.outcomes },
      seen: this.#counters.seen,
      passed: this.#counters.passed,
      settled: this.#counters.settled,
    };
  }

  #where(): { readonly stage: "A" | "B"; readonly partition: number } {
    return { stage: this.#stage.id, partition: this.#partition };
  }
}
