import type { OutputBody, OutputId, OutputItem, StageId, Topic } from "@winnow/contracts";
import { hasCode, isLasting, WinnowError } from "@winnow/platform";
import type { AppendRecord, Clock, EventLog } from "@winnow/ports";

/** Largest record that outputs are gathered into, UTF-16 units of JSON. */
const recordTextMax = 512 * 1024;
const retryMsMin = 20;
const retryMsMax = 2_000;

interface Pending {
  readonly item: OutputItem;
  readonly text: string;
  readonly at: number;
}

interface Lane {
  readonly topic: Topic;
  readonly partition: number;
  /** The log's losses when nothing had been published here yet. */
  readonly losses: number;
  readonly waiting: Pending[];
  /** Outputs that go one by one, since the log found them too large together. */
  alone: number;
  sending: Promise<void> | null;
}

/**
 * Publishes a stage partition's outputs: in order, one append in flight per destination partition, chained by id.
 * A failed append is tried again with the same bytes; nothing ever overtakes it. What no waiting mends, such as a right
 * that was taken away, is thrown by `drain`: the session ends, and its outputs are made again by the next one.
 */
export class Publisher {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #from: { readonly stage: StageId; readonly partition: number };
  readonly #published: Map<string, OutputId>;
  readonly #lanes = new Map<string, Lane>();
  readonly #signal: AbortSignal;
  #failure: Error | null = null;

  constructor(options: {
    log: EventLog;
    clock: Clock;
    from: { readonly stage: StageId; readonly partition: number };
    published: Readonly<Record<string, OutputId>>;
    signal: AbortSignal;
  }) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#from = options.from;
    this.#published = new Map(Object.entries(options.published));
    this.#signal = options.signal;
  }

  /** Queues one output; it is on its way at once. */
  publish(to: { topic: Topic; partition: number }, id: OutputId, body: OutputBody, at: number): void {
    const name = `${to.topic}.${to.partition}`;
    const item: OutputItem = { id, prev: this.#published.get(name) ?? null, body };
    this.#published.set(name, id);
    const lane = this.#lane(name, to);
    lane.waiting.push({ item, text: JSON.stringify(item), at });
    lane.sending ??= this.#send(lane);
  }

  /** Resolves once everything published so far is durable downstream. Rejects when that failed for good. */
  async drain(): Promise<void> {
    for (const lane of this.#lanes.values()) while (lane.sending !== null) await lane.sending;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Last id per destination, for the commit. */
  published(): Record<string, OutputId> {
    return Object.fromEntries(this.#published);
  }

  #lane(name: string, to: { topic: Topic; partition: number }): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      const losses = this.#losses(to);
      lane = { ...to, losses, waiting: [], alone: 0, sending: null };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #losses({ topic, partition }: Pick<Lane, "topic" | "partition">): number {
    return this.#log.losses?.(topic, partition) ?? 0;
  }

  async #send(lane: Lane): Promise<void> {
    // One turn later, so that a record's outputs travel together.
    await Promise.resolve();
    try {
      while (lane.waiting.length > 0 && this.#failure === null) await this.#append(lane);
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    } finally {
      lane.sending = null;
    }
  }

  #next({ waiting, alone }: Lane): readonly Pending[] {
    const taken: Pending[] = [];
    let size = 0;
    for (const pending of waiting) {
      if (taken.length > 0 && (alone > 0 || size + pending.text.length > recordTextMax)) break;
      taken.push(pending);
      size += pending.text.length;
    }
    return taken;
  }

  #record(taken: readonly Pending[]): AppendRecord {
    const at = taken.at(-1)?.at ?? 0;
    const head = { kind: "outputs" as const, ...this.#from, at_ms: at };
    const items = taken.map((pending) => pending.item);
    const text = `${JSON.stringify(head).slice(0, -1)},"items":[${taken.map((pending) => pending.text).join(",")}]}`;
    return { value: { ...head, items }, text, events: 0 };
  }

  async #append(lane: Lane): Promise<void> {
    const taken = this.#next(lane);
    const record = this.#record(taken);
    for (let pause = retryMsMin; ; pause = Math.min(pause * 2, retryMsMax)) {
      if (this.#signal.aborted) throw new WinnowError("store_unavailable", "stopped while outputs were waiting");
      // Nothing is written behind a hole: what this session published may have been in it, and is made again.
      if (this.#losses(lane) !== lane.losses)
        throw new WinnowError("log_unknown", `${lane.topic} lost outputs that it had taken: they are made again`);
      try {
        await this.#log.append(lane.topic, lane.partition, [record]);
        lane.waiting.splice(0, taken.length);
        lane.alone = Math.max(0, lane.alone - taken.length);
        return;
      } catch (error) {
        if (hasCode(error, "log_record_too_large") && taken.length > 1) {
          lane.alone = taken.length;
          return;
        }
        if (!(error instanceof WinnowError) || error.retry === "permanent" || isLasting(error)) throw error;
        await this.#clock.sleep(pause, this.#signal);
      }
    }
  }
}
