import type { StoredRecord } from "@winnow/ports";
import type { Ends } from "./ends.ts";
import type { Fetcher } from "./fetcher.ts";
import { type Chunk, parseRecord } from "./records.ts";

/** Records from `from` on, the newest that were fetched. */
interface Held extends Chunk {
  readonly from: number;
  /** False once the connection that brought them is gone: a broker that comes back may have lost them. */
  readonly isCurrent: () => boolean;
}

export interface ReaderOptions {
  readonly fetcher: Fetcher;
  readonly ends: Ends;
  readonly topic: string;
  readonly partition: number;
  /** Every stretch of records that was read, for those who count. */
  readonly passed: (from: number, chunk: Chunk) => void;
}

/** Serves reads from the chunk that was fetched last: brokers hand out whole batches, however few bytes are asked for. */
export class Reader {
  readonly #options: ReaderOptions;
  #held: Held | null = null;
  /** Reads go one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  read(offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    const reading = this.#turn.then(() => this.#read(offset, maxBytes));
    this.#turn = reading.catch(() => {});
    return reading;
  }

  /** Records that somebody else fetched. */
  offer(from: number, chunk: Chunk, isCurrent: () => boolean): void {
    this.#held = { from, ...chunk, isCurrent };
  }

  /** Records are gone: nothing that was held is served any more. */
  forget(): void {
    this.#held = null;
  }

  async #read(offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    let from = offset;
    for (;;) {
      const held = this.#holding(from) ?? (await this.#fetch(from, maxBytes));
      const records = this.#serve(held, from, maxBytes);
      // A stretch without records is behind us, or the end is reached.
      if (records.length > 0 || held.next <= from) return records;
      from = held.next;
    }
  }

  #holding(offset: number): Held | null {
    const held = this.#held;
    return held !== null && held.from <= offset && offset < held.next && held.isCurrent() ? held : null;
  }

  async #fetch(from: number, maxBytes: number): Promise<Held> {
    const { fetcher, ends } = this.#options;
    const known = ends.end;
    const chunk = await fetcher.chunk(from, maxBytes);
    const end = Math.max(chunk.highWatermark, chunk.next);
    // An append that has ended meanwhile is behind it.
    if (chunk.next === from && ends.end === known) ends.met(end);
    ends.reached(end);
    const held = { from, records: chunk.records, next: chunk.next, isCurrent: fetcher.watch() };
    if (chunk.next > from) this.#held = held;
    return held;
  }

  #serve(held: Held, offset: number, maxBytes: number): StoredRecord[] {
    const raw = held.records;
    const begin = raw.findIndex((record) => record.offset >= offset);
    const records: StoredRecord[] = [];
    if (begin < 0) return records;
    let bytes = 0;
    for (const record of raw.slice(begin)) {
      bytes += record.value.length;
      if (records.length > 0 && bytes > maxBytes) break;
      try {
        records.push(parseRecord(record, this.#options));
      } catch (error) {
        // Those before the damage are served; the next read meets it.
        if (records.length === 0) throw error;
        break;
      }
    }
    const last = records.at(-1);
    if (last !== undefined)
      this.#options.passed(offset, { records: raw.slice(begin, begin + records.length), next: last.offset + 1 });
    return records;
  }
}
