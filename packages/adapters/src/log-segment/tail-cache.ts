import type { StoredRecord } from "@winnow/ports";

/** The newest durable records of a partition, so that consumers at the tail neither read nor parse files. */
export class TailCache {
  readonly #bytesMax: number;
  #records: StoredRecord[] = [];
  #sizes: number[] = [];
  /** Records before it are forgotten. */
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds the next record; `bytes` is its length as JSON. */
  push(record: StoredRecord, bytes: number): void {
    this.#records.push(record);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax && this.#head < this.#records.length) this.#drop();
    if (this.#head > 64 && this.#head * 2 > this.#records.length) this.#compact();
  }

  /**
   * Forgets the records below `offset`: their consumer is done with them. Kept any longer they would outlive the young
   * generation of the heap, which costs more than everything else that is done with them here.
   */
  release(offset: number): void {
    for (
      let first = this.#records[this.#head];
      first !== undefined && first.offset < offset;
      first = this.#records[this.#head]
    )
      this.#drop();
    if (this.#head > 0) this.#compact();
  }

  /** Records from `offset` on, about `maxBytes` but at least one; undefined when they are not here. */
  read(offset: number, maxBytes: number): readonly StoredRecord[] | undefined {
    const first = this.#records[this.#head];
    if (first === undefined || offset < first.offset) return undefined;
    const from = this.#head + offset - first.offset;
    let to = from;
    let bytes = 0;
    while (to < this.#records.length && (to === from || bytes + (this.#sizes[to] ?? 0) <= maxBytes)) {
      bytes += this.#sizes[to] ?? 0;
      to += 1;
    }
    return this.#records.slice(from, to);
  }

  #drop(): void {
    this.#bytes -= this.#sizes[this.#head] ?? 0;
    this.#head += 1;
  }

  #compact(): void {
    this.#records = this.#records.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}
