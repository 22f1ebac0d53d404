import type { EventsRecord } from "@winnow/contracts";
import { assert, WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog } from "@winnow/ports";
import type { Chunk } from "./records.ts";

/** What one delivery appends to one partition. */
export interface WriterInput {
  readonly chunks: readonly Chunk[];
  readonly receivedMs: number;
  readonly traceparent: string | undefined;
}

export interface WriterOptions {
  readonly log: EventLog;
  readonly partition: number;
  readonly receiverId: string;
  /** The last durable seq of this receiver in this partition; 0 before the first. */
  readonly lastSeq: number;
  /** Reads the last durable seq back, after an append whose fate is unknown. */
  readonly recoverSeq: () => Promise<number>;
  readonly recordsMax: number;
}

interface Waiting extends WriterInput {
  readonly resolve: (end: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The one writer of a partition of `alerts`. While an append is under way everything that comes in waits and goes out
 * together in the next one: that is the group commit, and it makes the numbering safe. Numbers are given when a batch
 * is handed to the log and count only when the log has it: a batch that fails leaves no gap, since the next one begins
 * again behind the last durable record, and nothing else is in flight. When the fate of a batch is unknown, the last
 * number is read back from the log before anything more is written.
 */
export class PartitionWriter {
  readonly #options: WriterOptions;
  #lastSeq: number | null;
  #confirmedSeq: number;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lastSeq = options.lastSeq;
    this.#confirmedSeq = options.lastSeq;
  }

  /**
   * Resolves once all chunks are durable, with the offset behind the last of them. Rejects with the log's WinnowError
   * when none or an unknown part of them is.
   */
  append(input: WriterInput): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiting.push({ ...input, resolve, reject });
    if (!this.#isRunning) {
      this.#isRunning = true;
      // What arrives in the same turn of the event loop shares the first append.
      setImmediate(() => void this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#write(this.#takeBatch());
    this.#isRunning = false;
  }

  /** Whole deliveries, up to the record limit; at least one. */
  #takeBatch(): Waiting[] {
    let records = 0;
    let count = 0;
    for (const { chunks } of this.#waiting) {
      records += chunks.length;
      if (count > 0 && records > this.#options.recordsMax) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const { log, partition, recoverSeq } = this.#options;
    let end: number;
    try {
      // A log that has let its records go no longer tells what was confirmed.
      this.#lastSeq ??= Math.max(this.#confirmedSeq, await recoverSeq());
      const records = this.#number(batch, this.#lastSeq);
      end = await log.append("alerts", partition, records);
      this.#lastSeq += records.length;
      this.#confirmedSeq = this.#lastSeq;
    } catch (error) {
      if (!isDefinite(error)) this.#lastSeq = null;
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { chunks, resolve } of batch) {
      end += chunks.length;
      resolve(end);
    }
  }

  #number(batch: readonly Waiting[], lastSeq: number): AppendRecord[] {
    assert(lastSeq >= 0, "seq begins at 1");
    const records: AppendRecord[] = [];
    for (const { chunks, receivedMs, traceparent } of batch) {
      for (const { items, text } of chunks) {
        const head = {
          kind: "events" as const,
          receiver_id: this.#options.receiverId,
          seq: lastSeq + records.length + 1,
          received_ms: receivedMs,
          ...(traceparent === undefined ? {} : { traceparent }),
        };
        const value: EventsRecord = { ...head, items };
        const whole = `${JSON.stringify(head).slice(0, -1)},"items":${text}}`;
        records.push({ value, text: whole, events: items.length });
      }
    }
    return records;
  }
}

/** True when the log says that nothing of the append is served, now or later. */
function isDefinite(error: unknown): boolean {
  return error instanceof WinnowError && error.retry !== "unknown";
}
