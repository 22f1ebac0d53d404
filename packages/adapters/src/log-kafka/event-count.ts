import type { CountedEvents } from "@winnow/ports";
import { type Chunk, eventsOf } from "./records.ts";

export interface EventCountOptions {
  /** Raw records from an offset on. */
  readonly fetch: (offset: number) => Promise<Chunk>;
  /** The last stored count, null when none was ever stored. */
  readonly load: () => Promise<CountedEvents | null>;
  readonly store: (counted: CountedEvents) => Promise<void>;
  /** Records were removed before they were counted. */
  readonly uncounted: (from: number, to: number) => void;
}

/** How much one step reads: consumers wait for it. */
const stepChunks = 16;

/**
 * Counts the accepted events of a partition. Several receivers write it, so no record can carry a running total: each
 * tells its own number, and the sum is carried on from the last stored count. What the partition's owner reads is
 * counted on the way; a count costs reading only what nobody has counted yet.
 */
export class EventCount {
  readonly #options: EventCountOptions;
  #at: CountedEvents | null = null;
  #stored: CountedEvents | null = null;
  /** Events of single records above an offset that another counted up to. */
  #above: { from: number; to: number; readonly records: { offset: number; events: number }[] } | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: EventCountOptions) {
    this.#options = options;
  }

  /** A stretch of records that was read for another purpose. */
  passed(from: number, chunk: Chunk): void {
    const at = this.#at;
    if (at !== null && from <= at.offset && at.offset < chunk.next)
      this.#at = { offset: chunk.next, events: at.events + sumFrom(at.offset, chunk) };
  }

  /** Events in all records below `end`, those removed included. Rejects as reading does. */
  total(range: { readonly start: number; readonly end: number }): Promise<number> {
    return this.#inTurn(async () => (await this.#countTo(range)).events);
  }

  /** `counted.events` and the events in the records from there up to `end`. Rejects as reading does. */
  totalFrom(counted: CountedEvents, end: number): Promise<number> {
    return this.#inTurn(async () => {
      const above = this.#aboveFrom(counted.offset);
      while (above.to < end) {
        const chunk = await this.#options.fetch(above.to);
        for (const record of chunk.records) {
          const events = eventsOf(record);
          if (events > 0) above.records.push({ offset: record.offset, events });
        }
        if (chunk.next <= above.to) break;
        above.to = chunk.next;
      }
      return above.records.reduce((sum, record) => sum + record.events, counted.events);
    });
  }

  /**
   * Counts on towards `offset`, reading a bounded amount, and stores how far it came, so that records below that may go.
   * Resolves with the offset that is stored. Rejects as reading and appending do.
   */
  storeTowards(offset: number, start: number): Promise<number> {
    return this.#inTurn(async () => {
      const at = await this.#countTo({ start, end: offset }, stepChunks);
      if (at.offset !== this.#stored?.offset) await this.#options.store(at);
      this.#stored = at;
      return at.offset;
    });
  }

  /** Stores what was counted, if it went on since. */
  storeProgress(): Promise<void> {
    return this.#inTurn(async () => {
      const at = this.#at;
      if (at === null || at.offset === (this.#stored?.offset ?? 0)) return;
      await this.#options.store(at);
      this.#stored = at;
    });
  }

  async #countTo(
    { start, end }: { readonly start: number; readonly end: number },
    chunksMax = Number.POSITIVE_INFINITY,
  ): Promise<CountedEvents> {
    let at = this.#at ?? (this.#stored = await this.#options.load()) ?? { offset: 0, events: 0 };
    if (at.offset < start) {
      // Another process may have counted on and let records go.
      this.#stored = (await this.#options.load()) ?? this.#stored;
      if (this.#stored !== null && this.#stored.offset > at.offset) at = this.#stored;
      if (at.offset < start) this.#options.uncounted(at.offset, start);
      at = { offset: Math.max(at.offset, start), events: at.events };
    }
    this.#at = at;
    for (let chunks = 0; at.offset < end && chunks < chunksMax; chunks += 1) {
      const { offset } = at;
      const chunk = await this.#options.fetch(offset);
      if (chunk.next <= offset) break;
      this.passed(offset, chunk);
      at = this.#at;
    }
    return at;
  }

  #aboveFrom(offset: number) {
    const above = this.#above;
    if (above === null || offset < above.from || offset > above.to)
      return (this.#above = { from: offset, to: offset, records: [] });
    const below = above.records.findIndex((record) => record.offset >= offset);
    above.records.splice(0, below < 0 ? above.records.length : below);
    above.from = offset;
    return above;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function sumFrom(offset: number, chunk: Chunk): number {
  return chunk.records.reduce((sum, record) => (record.offset < offset ? sum : sum + eventsOf(record)), 0);
}
