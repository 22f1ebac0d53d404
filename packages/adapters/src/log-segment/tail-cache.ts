import type { StoredRecord } from "@winnow/ports";

/**
 * Durable records that the consumer of a partition has yet to read, so that it neither reads nor parses files. They are
 * one unbroken run. When it is full, newer records are left to the files until it has been read: a consumer that lags
 * reads every record that was kept, where a cache of the newest would drop all of them unread.
 */
export class TailCache {
  readonly #bytesMax: number;
  #records: StoredRecord[] = [];
  #sizes: number[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Offers the next record; `bytes` is its length as JSON. */
  push(record: StoredRecord, bytes: number): void {
    const last = this.#records.at(-1);
    const follows = last === undefined || last.offset + 1 === record.offset;
    if (!follows || this.#bytes + bytes > this.#bytesMax) return;
    this.#records.push(record);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /**
   * Forgets the records below `offset`: their consumer is done with them. Kept any longer they would outlive the young
   * generation of the heap, which costs more than everything else that is done with them here.
   */
  release(offset: number): void {
    let done = 0;
    while (done < this.#records.length && (this.#records[done]?.offset ?? 0) < offset) {
      this.#bytes -= this.#sizes[done] ?? 0;
      done += 1;
    }
    if (done === 0) return;
    this.#records = this.#records.slice(done);
    this.#sizes = this.#sizes.slice(done);
  }

  /** Records from `offset` on, about `maxBytes` but at least one; undefined when they are not here. */
  read(offset: number, maxBytes: number): readonly StoredRecord[] | undefined {
    const first = this.#records[0];
    if (first === undefined || offset < first.offset) return undefined;
    const from = offset - first.offset;
    if (from >= this.#records.length) return undefined;
    let to = from;
    let bytes = 0;
    while (to < this.#records.length && (to === from || bytes + (this.#sizes[to] ?? 0) <= maxBytes)) {
      bytes += this.#sizes[to] ?? 0;
      to += 1;
    }
    return this.#records.slice(from, to);
  }
}
