import { hash } from "node:crypto";
import type {
  ActionRecord,
  AlertEvent,
  IncidentMember,
  LogValue,
  Outcome,
  OutputBody,
  TimelineEntry,
} from "@winnow/contracts";
import {
  type AlertDetail,
  type AlertState,
  alertKey,
  type CompiledRuleSet,
  type CorrelateItem,
  correlateStage,
  type Decision,
  type DecisionContext,
  decideRecord,
  dedupStage,
  detailKey,
  type IncidentRecord,
  incidentIdOf,
  type Stage,
  type StateWrite,
  type Wish,
} from "@winnow/core";

/** Hash that tests hand to the engine. */
export const testHash = (text: string): string => hash("sha256", text);

interface Emitted {
  readonly body: OutputBody;
}

/** One stage over plain maps: no log, no store, no time but what the records bring. */
class PureStage<Item> {
  readonly states = new Map<string, unknown>();
  readonly outcomes: Partial<Record<Outcome, number>> = {};
  clock = 0;
  seen = 0;
  passed = 0;
  readonly #deadlines = new Map<string, number>();
  readonly #stage: Stage<Item>;
  #rules: CompiledRuleSet;
  #generation = 1;
  #offset = 0;

  constructor(stage: Stage<Item>, rules: CompiledRuleSet) {
    this.#stage = stage;
    this.#rules = rules;
  }

  useRules(rules: CompiledRuleSet): void {
    this.#rules = rules;
    this.#generation += 1;
  }

  /** Processes one record as the shell does; returns what goes on. */
  process(value: LogValue, at: number): Emitted[] {
    const offset = this.#offset++;
    this.clock = Math.max(this.clock, at);
    const emitted: Emitted[] = [];
    if (value.kind === "tick") this.#apply(this.#stage.tick(value, this.#read, this.#context(offset, -1)));
    for (let key = this.#due(); key !== null; key = this.#due()) {
      const decision = this.#stage.fire(key, this.#read, this.#context(offset, -1));
      this.#apply(decision);
      emitted.push(...decision.emissions);
    }
    const emissions = this.#stage.items(value).flatMap((item, index) => this.#decide(item, offset, index).emissions);
    return [...emitted, ...this.#stage.coalesce(emissions)];
  }

  nextDeadline(): number | null {
    return this.#deadlines.size === 0 ? null : Math.min(...this.#deadlines.values());
  }

  #decide(item: Item, offset: number, index: number): Decision {
    const context = this.#context(offset, index);
    let decision: Decision;
    try {
      decision = this.#stage.decide(item, this.#read, context);
    } catch (error) {
      decision = this.#stage.bury(item, String(error), context);
    }
    this.#apply(decision);
    if (!this.#stage.accountable(item)) return decision;
    this.seen += 1;
    if (decision.passed) this.passed += 1;
    if (decision.outcome !== null) this.outcomes[decision.outcome] = (this.outcomes[decision.outcome] ?? 0) + 1;
    return decision;
  }

  readonly #read = (key: string): unknown => this.states.get(key);

  #apply(decision: { readonly writes: ReadonlyMap<string, StateWrite> }): void {
    for (const [key, write] of decision.writes) {
      if (write.value === null) this.states.delete(key);
      else this.states.set(key, JSON.parse(JSON.stringify(write.value)));
      if (write.deadline === null) this.#deadlines.delete(key);
      else this.#deadlines.set(key, write.deadline);
    }
  }

  /** The first due key in order of (deadline, key). */
  #due(): string | null {
    const due = [...this.#deadlines].filter(([, at]) => at <= this.clock);
    due.sort(([leftKey, left], [rightKey, right]) => left - right || (leftKey < rightKey ? -1 : 1));
    const first = due[0]?.[0] ?? null;
    if (first !== null) this.#deadlines.delete(first);
    return first;
  }

  #context(offset: number, index: number): DecisionContext {
    return {
      now: this.clock,
      origin: { partition: 0, offset, index },
      rules: this.#rules,
      ruleGeneration: this.#generation,
      hash: testHash,
    };
  }
}

/** The three stages in a row over plain maps: what the core decides, without any shell. */
export class PureEngine {
  readonly dedup: PureStage<AlertEvent>;
  readonly correlate: PureStage<CorrelateItem>;
  readonly incidents = new Map<string, IncidentRecord>();
  readonly members: { readonly incidentId: string; readonly member: IncidentMember }[] = [];
  readonly timeline: { readonly incidentId: string; readonly entry: TimelineEntry }[] = [];
  readonly wishes: Wish[] = [];
  readonly deadLetters: OutputBody[] = [];
  #rules: CompiledRuleSet;
  #seq = 0;

  constructor(rules: CompiledRuleSet) {
    this.#rules = rules;
    this.dedup = new PureStage(dedupStage as unknown as Stage<AlertEvent>, rules);
    this.correlate = new PureStage(correlateStage, rules);
  }

  useRules(rules: CompiledRuleSet): void {
    this.#rules = rules;
    this.dedup.useRules(rules);
    this.correlate.useRules(rules);
  }

  /** One request with these events arrives at `at` (epoch ms). */
  deliver(events: readonly AlertEvent[], at: number): void {
    this.#seq += 1;
    const value = { kind: "events" as const, receiver_id: "r", seq: this.#seq, received_ms: at, items: events };
    this.#onward(this.dedup.process(value, at));
  }

  /** Time passes: ticks wherever a deadline is due, in order, up to `at`. */
  pass(at: number, facts: { readySince?: number; delivered?: Readonly<Record<string, number>> } = {}): void {
    const tick = (time: number) => ({
      kind: "tick" as const,
      at_ms: time,
      ready_since_ms: facts.readySince ?? 0,
      delivered_ms: facts.delivered ?? {},
    });
    for (;;) {
      const next = Math.min(this.dedup.nextDeadline() ?? Infinity, this.correlate.nextDeadline() ?? Infinity);
      if (next > at) break;
      const time = Math.max(next, this.dedup.clock, this.correlate.clock);
      this.#onward(this.dedup.process(tick(time), time));
      this.#record(this.correlate.process(tick(time), time));
    }
  }

  act(action: Omit<ActionRecord, "type" | "at_ms">, at: number): void {
    const items = [{ type: "action" as const, at_ms: at, ...action }];
    this.#record(this.correlate.process({ kind: "actions", at_ms: at, items }, at));
  }

  alert(fingerprint: string): AlertState | undefined {
    return this.dedup.states.get(alertKey(fingerprint)) as AlertState | undefined;
  }

  detail(fingerprint: string): AlertDetail | undefined {
    return this.dedup.states.get(detailKey(fingerprint)) as AlertDetail | undefined;
  }

  outcomes(): Partial<Record<Outcome, number>> {
    const sum: Partial<Record<Outcome, number>> = { ...this.dedup.outcomes };
    for (const [outcome, n] of Object.entries(this.correlate.outcomes) as [Outcome, number][])
      sum[outcome] = (sum[outcome] ?? 0) + n;
    return sum;
  }

  /** Accepted events that have not ended; 0 at rest. */
  inFlight(): number {
    return this.dedup.passed - this.correlate.seen;
  }

  #onward(emitted: readonly Emitted[]): void {
    if (emitted.length === 0) return;
    const at = this.dedup.clock;
    const items = emitted.map(({ body }, index) => ({ id: [0, 0, index] as const, prev: null, body }));
    this.#record(this.correlate.process({ kind: "outputs", stage: "A", partition: 0, at_ms: at, items }, at));
  }

  #record(emitted: readonly Emitted[]): void {
    for (const { body } of emitted) {
      const id = incidentIdOf(body);
      const decision = decideRecord(body, id === null ? undefined : this.incidents.get(id), this.#rules);
      if (id !== null && decision.incident !== null) this.incidents.set(id, decision.incident);
      for (const member of decision.members) this.members.push({ incidentId: id ?? "", member });
      for (const entry of decision.timeline) this.timeline.push({ incidentId: id ?? "", entry });
      this.wishes.push(...decision.wishes);
      if (decision.deadLetter !== null) this.deadLetters.push(decision.deadLetter);
    }
  }
}
