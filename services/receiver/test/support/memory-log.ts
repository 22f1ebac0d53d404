import type { LogValue, Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog, PartitionStatus, StoredRecord } from "@winnow/ports";

/** What an append does instead of working. */
export type Fault =
  /** Nothing is written and the log says so. */
  | "log_full"
  | "log_write_failed"
  /** The reply is lost; the records are there, or not. */
  | "unknown_written"
  | "unknown_lost";

/** An EventLog in memory whose appends can be held back and made to fail. */
export class MemoryLog implements EventLog {
  readonly partitions: number;
  readonly appends: number[] = [];
  /** Offsets that trims were asked for, by partition. */
  readonly trims = new Map<number, number>();
  logId = "log-1";
  readonly #records: StoredRecord[][];
  readonly #faults: Fault[] = [];
  #held: Promise<void> | null = null;
  #release: () => void = () => undefined;
  #startOffset = 0;
  readonly #waiters = new Set<() => void>();
  /** Called when an append begins. */
  onAppend: (partition: number) => void = () => undefined;

  constructor(partitions = 4) {
    this.partitions = partitions;
    this.#records = Array.from({ length: partitions }, () => []);
  }

  /** The next appends fail so, one each. */
  failNext(...faults: Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Appends wait until `release`. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    this.#release = resolve;
  }

  release(): void {
    this.#held = null;
    this.#release();
  }

  trimTo(offset: number): void {
    this.#startOffset = offset;
  }

  /** The log forgets its newest records. */
  cutTo(partition: number, end: number): void {
    const records = this.#records[partition];
    if (records !== undefined) records.length = end;
  }

  values(partition: number): LogValue[] {
    return (this.#records[partition] ?? []).map(({ value }) => value);
  }

  /** All items of all receivers' records, partition by partition. */
  items(): unknown[] {
    return this.#records.flatMap((records) =>
      records.flatMap(({ value }) => (value.kind === "events" ? (value.items as unknown[]) : [])),
    );
  }

  seqs(partition: number, receiverId = "r1"): number[] {
    return this.values(partition).flatMap((value) =>
      value.kind === "events" && value.receiver_id === receiverId ? [value.seq] : [],
    );
  }

  async append(_topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number> {
    this.appends.push(partition);
    this.onAppend(partition);
    // What is stored is what was handed over at the call, as JSON, like on a disk.
    const values = records.map(({ value, text }) => {
      const written = JSON.stringify(value);
      if (text !== undefined && text !== written) throw new Error("the text of a record says something else");
      return JSON.parse(written) as LogValue;
    });
    const fault = this.#faults.shift();
    if (this.#held !== null) await this.#held;
    await Promise.resolve();
    if (fault === "log_full" || fault === "log_write_failed") throw new WinnowError(fault, "injected");
    if (fault === "unknown_lost") throw new WinnowError("log_unknown", "injected");
    const stored = this.#records[partition] ?? [];
    const first = stored.length;
    for (const value of values) stored.push({ offset: stored.length, appended_ms: 0, value });
    for (const wake of this.#waiters) wake();
    if (fault === "unknown_written") throw new WinnowError("log_unknown", "injected");
    return first;
  }

  async status(_topic: Topic, partition: number): Promise<PartitionStatus> {
    const end_offset = this.#records[partition]?.length ?? 0;
    return { log_id: this.logId, start_offset: this.#startOffset, end_offset, events: 0 };
  }

  async read(_topic: Topic, partition: number, offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    if (offset < this.#startOffset) throw new WinnowError("log_offset_trimmed", "injected");
    if (offset > (this.#records[partition]?.length ?? 0)) throw new WinnowError("log_offset_beyond_end", "injected");
    const found: StoredRecord[] = [];
    let bytes = 0;
    for (const record of (this.#records[partition] ?? []).slice(offset)) {
      bytes += JSON.stringify(record.value).length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(record);
    }
    return found;
  }

  wait(_topic: Topic, partition: number, offset: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        const isThere = offset < (this.#records[partition]?.length ?? 0);
        if (!isThere && !signal.aborted) return;
        this.#waiters.delete(look);
        resolve(isThere && !signal.aborted);
      };
      this.#waiters.add(look);
      signal.addEventListener("abort", look, { once: true });
      look();
    });
  }

  trim(_topic: Topic, partition: number, offset: number): Promise<void> {
    this.trims.set(partition, offset);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
