import type { LogValue, Outcome, OutputBody, TickRecord, Topic } from "@winnow/contracts";
import type { CompiledRuleSet } from "./compiled-rules.ts";

/** SHA-256 of text as 64 hex digits; handed in, since core has no platform. */
export type Hash = (text: string) => string;

/** Thrown by `read` for a state that is not in memory: the shell loads it and decides again. */
export class StateMissing extends Error {
  readonly key: string;
  constructor(key: string) {
    super(`state ${key} is not loaded`);
    this.key = key;
  }
}

/** A state by key; undefined = known to be absent. Throws StateMissing when it is not known yet. */
export type Read = (key: string) => unknown;

/** Everything a decision may depend on besides state and input. */
export interface DecisionContext {
  /** The partition's clock: the latest record time seen, epoch ms. */
  readonly now: number;
  /** Position in the input: makes ids that are the same on every replay. */
  readonly origin: { readonly partition: number; readonly offset: number; readonly index: number };
  readonly rules: CompiledRuleSet;
  readonly ruleGeneration: number;
  readonly hash: Hash;
}

export interface StateWrite {
  /** null deletes. Values are never changed in place. */
  readonly value: unknown;
  /** When `fire` wants to be called for this key. */
  readonly deadline: number | null;
}

export interface Emission {
  readonly topic: Topic;
  /** Partitions the output. */
  readonly key: string;
  readonly body: OutputBody;
}

/** What one input leads to. Plain data: the shell carries it out. */
export interface Decision {
  readonly writes: ReadonlyMap<string, StateWrite>;
  readonly emissions: readonly Emission[];
  /** Set when an accepted event ends here. */
  readonly outcome: Outcome | null;
  /** True when an accepted event goes on to the next stage, which will settle it. */
  readonly passed: boolean;
}

/** A stage of the pipeline: pure decisions over keyed state. */
export interface Stage<Item> {
  readonly id: "A" | "B";
  readonly input: Topic;
  /** The items of a record that this stage decides about, one by one. */
  items(value: LogValue): readonly Item[];
  /** States that deciding about the item will surely read: loaded together, before. A hint, never needed. */
  prefetch(item: Item): readonly string[];
  /** False for states that decisions hardly ever read: they leave the memory with their commit. */
  keepsInMemory(key: string): boolean;
  /** True when the item counts as an accepted event that must settle exactly once. */
  accountable(item: Item): boolean;
  decide(item: Item, read: Read, context: DecisionContext): Decision;
  /** A deadline of `key` has come. */
  fire(key: string, read: Read, context: DecisionContext): Decision;
  /** Facts that a tick brings, taken in before deadlines fire. */
  tick(record: TickRecord, read: Read, context: DecisionContext): Decision;
  /** Joins what one record emitted, where that says the same in fewer words. */
  coalesce(emissions: readonly Emission[]): readonly Emission[];
  /** The dead letter of an item that cannot be decided. */
  bury(item: Item | string, error: string, context: DecisionContext): Decision;
}

/** Collects the writes and emissions of one decision; reads see its own writes. */
export class Draft {
  readonly writes = new Map<string, StateWrite>();
  readonly emissions: Emission[] = [];
  readonly context: DecisionContext;
  readonly #read: Read;

  constructor(read: Read, context: DecisionContext) {
    this.#read = read;
    this.context = context;
  }

  get<State>(key: string): State | undefined {
    const own = this.writes.get(key);
    if (own !== undefined) return (own.value ?? undefined) as State | undefined;
    return this.#read(key) as State | undefined;
  }

  put(key: string, value: unknown, deadline: number | null): void {
    this.writes.set(key, { value, deadline });
  }

  drop(key: string): void {
    this.writes.set(key, { value: null, deadline: null });
  }

  emit(topic: Topic, key: string, body: OutputBody): void {
    this.emissions.push({ topic, key, body });
  }

  /** The item ends here with this outcome; null = it is not an accountable event. */
  settled(outcome: Outcome | null): Decision {
    return { writes: this.writes, emissions: this.emissions, outcome, passed: false };
  }

  /** The event goes on; the next stage settles it. */
  passedOn(): Decision {
    return { writes: this.writes, emissions: this.emissions, outcome: null, passed: true };
  }
}
