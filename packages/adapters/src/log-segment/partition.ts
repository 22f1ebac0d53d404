import { setImmediate } from "node:timers/promises";
import { assert, WinnowError } from "@winnow/platform";
import type { AppendRecord, PartitionStatus, StoredRecord } from "@winnow/ports";
import { corruptError, writeError } from "./errors.ts";
import { errnoOf } from "./files.ts";
import type { PendingAppend } from "./group.ts";
import type { Settings } from "./options.ts";
import { readSegment } from "./reader.ts";
import { type Segment, segmentOf } from "./segment.ts";
import type { Damage } from "./survey.ts";
import { TailCache } from "./tail-cache.ts";
import { SegmentWriter, type WriterStart } from "./writer.ts";

interface Waiter {
  readonly offset: number;
  readonly wake: (there: boolean) => void;
}

/** How often limits were hit and groups written since the log was opened. */
export interface PartitionCounts {
  groups: number;
  records: number;
  bytes: number;
  refusedTooLarge: number;
  refusedQueueFull: number;
}

/** One partition of one topic: a queue of appends, one group commit under way, readers and waiters. */
export class Partition {
  readonly directory: string;
  readonly counts: PartitionCounts = { groups: 0, records: 0, bytes: 0, refusedTooLarge: 0, refusedQueueFull: 0 };
  readonly damages: readonly Damage[];
  readonly #settings: Settings;
  readonly #logId: string;
  readonly #writer: SegmentWriter;
  readonly #cache: TailCache;
  readonly #waiters = new Set<Waiter>();
  #pending: PendingAppend[] = [];
  #pendingBytes = 0;
  /** Work that needs the files for itself, done between two groups. */
  #jobs: (() => Promise<void>)[] = [];
  #running: Promise<void> | null = null;
  /** Refuses every append until the callers of a failed group know of it, so that none of theirs is skipped. */
  #refusing: Error | null = null;
  #removalUnsynced = false;
  #closing: Promise<void> | null = null;

  constructor(settings: Settings, start: WriterStart, damages: readonly Damage[]) {
    this.directory = start.directory;
    this.damages = damages;
    this.#settings = settings;
    this.#logId = start.logId;
    this.#writer = new SegmentWriter(settings, start);
    this.#cache = new TailCache(settings.cacheBytesMax);
  }

  /** Durable segments, oldest first. */
  get segments(): readonly Segment[] {
    return this.#writer.segments;
  }

  get failure(): WinnowError | null {
    return this.#writer.failure;
  }

  get writeFailures(): number {
    return this.#writer.writeFailures;
  }

  status(): PartitionStatus {
    this.refuseClosed();
    return {
      log_id: this.#logId,
      start_offset: this.#startOffset(),
      end_offset: this.#writer.endOffset,
      events: this.#writer.events,
    };
  }

  /** Throws `log_closed` once `close` was called. */
  refuseClosed(): void {
    if (this.#closing !== null) throw new WinnowError("log_closed", "the log is closed");
  }

  append(records: readonly AppendRecord[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.refuseClosed();
      if (this.#refusing !== null) throw this.#refusing;
      const append = this.#serialise(records, { resolve, reject });
      if (this.#pendingBytes > 0 && this.#pendingBytes + append.bytes > this.#settings.pendingBytesMax) {
        this.counts.refusedQueueFull += 1;
        throw new WinnowError("log_full", "too many appends wait for the disk", { fields: { reason: "queue" } });
      }
      this.#pending.push(append);
      this.#pendingBytes += append.bytes;
      this.#run();
    });
  }

  async read(offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    this.refuseClosed();
    const end = this.#writer.endOffset;
    if (offset > end) {
      const fields = { offset, end_offset: end };
      throw new WinnowError("log_offset_beyond_end", `offset ${offset} lies above the end ${end}`, { fields });
    }
    this.#refuseTrimmed(offset);
    this.#cache.release(offset);
    if (offset === end) return [];
    return this.#cache.read(offset, maxBytes) ?? this.#readFiles(offset, maxBytes);
  }

  wait(offset: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#closing !== null) return Promise.resolve(false);
    if (offset < this.#writer.endOffset) return Promise.resolve(true);
    return new Promise((resolve) => {
      const abort = () => waiter.wake(false);
      const waiter: Waiter = {
        offset,
        wake: (there) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", abort);
          resolve(there);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** Starts a new segment if the last one holds records, so that the last one can be removed. */
  roll(): Promise<void> {
    return this.#alone(() => this.#writer.roll());
  }

  /** Removes the oldest segment, never the last one. Rejects with `log_write_failed`. */
  removeOldest(): Promise<void> {
    return this.#alone(async () => {
      const [oldest, next] = this.#writer.segments;
      if (oldest === undefined || next === undefined) return;
      try {
        await this.#syncRemoval();
        // Readers are refused before the file goes.
        this.#writer.segments.shift();
        await this.#unlink(oldest);
        await this.#syncRemoval();
      } catch (error) {
        throw writeError(error, "removing a segment", oldest.path);
      }
    });
  }

  async #unlink(oldest: Segment): Promise<void> {
    try {
      await this.#settings.files.unlink(oldest.path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") {
        this.#writer.segments.unshift(oldest);
        throw error;
      }
    }
    this.#removalUnsynced = true;
  }

  /** Removals become durable one by one, so that a crash never leaves a hole in the row of segments. */
  async #syncRemoval(): Promise<void> {
    if (!this.#removalUnsynced) return;
    await this.#settings.files.syncDirectory(this.directory);
    this.#removalUnsynced = false;
  }

  /** Lets called appends become durable, then ends. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const waiter of this.#waiters) waiter.wake(false);
      while (this.#running !== null) await this.#running;
      await this.#writer.close();
    })();
    return this.#closing;
  }

  #alone(job: () => Promise<void>): Promise<void> {
    this.refuseClosed();
    return new Promise((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.#run();
    });
  }

  #serialise(records: readonly AppendRecord[], settle: Pick<PendingAppend, "resolve" | "reject">): PendingAppend {
    assert(records.length > 0, "an append has records");
    const texts: string[] = [];
    const sizes: number[] = [];
    let bytes = 0;
    for (const record of records) {
      assert(Number.isSafeInteger(record.events) && record.events >= 0, "events is a count");
      const text = record.text ?? JSON.stringify(record.value);
      const size = Buffer.byteLength(text);
      if (size > this.#settings.recordBytesMax) {
        this.counts.refusedTooLarge += 1;
        const fields = { bytes: size, bytes_max: this.#settings.recordBytesMax };
        throw new WinnowError("log_record_too_large", `a record of ${size} bytes is too large`, { fields });
      }
      texts.push(text);
      sizes.push(size);
      bytes += size;
    }
    return { records, texts, sizes, bytes, ...settle };
  }

  #run(): void {
    this.#running ??= this.#loop();
  }

  async #loop(): Promise<void> {
    // The appends of one turn of the event loop make one group.
    await setImmediate();
    while (this.#pending.length > 0 || this.#jobs.length > 0) {
      const jobs = this.#jobs;
      this.#jobs = [];
      for (const job of jobs) await job();
      if (this.#pending.length > 0) await this.#flush(this.#takeGroup());
    }
    this.#running = null;
  }

  #takeGroup(): readonly PendingAppend[] {
    let bytes = 0;
    let count = 0;
    for (const append of this.#pending) {
      if (count > 0 && bytes + append.bytes > this.#settings.groupBytesMax) break;
      bytes += append.bytes;
      count += 1;
    }
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  async #flush(group: readonly PendingAppend[]): Promise<void> {
    try {
      const { stored, bytes } = await this.#writer.commit(group);
      this.counts.groups += 1;
      this.counts.records += stored.length;
      this.counts.bytes += bytes.length;
      this.#publish(group, stored);
    } catch (error) {
      this.#refuse(group, error as Error);
    }
  }

  /** The group is durable: readers see it, callers hear of it, waiters wake. */
  #publish(group: readonly PendingAppend[], stored: readonly StoredRecord[]): void {
    let n = 0;
    for (const append of group) {
      const first = stored[n]?.offset ?? 0;
      for (const size of append.sizes) {
        const record = stored[n];
        if (record !== undefined) this.#cache.push(record, size);
        n += 1;
      }
      append.resolve(first);
    }
    for (const waiter of this.#waiters) if (waiter.offset < this.#writer.endOffset) waiter.wake(true);
  }

  /**
   * A failed group takes down every append queued behind it and every one that is called before its callers have
   * run: all of them may build on it (a receiver numbers its records), so none may land without it.
   */
  #refuse(group: readonly PendingAppend[], error: Error): void {
    const refused = [...group, ...this.#pending];
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#refusing = error;
    void setImmediate().then(() => {
      this.#refusing = null;
    });
    for (const append of refused) append.reject(error);
  }

  async #readFiles(offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    const segment = segmentOf(this.#writer.segments, offset);
    if (segment === undefined) throw corruptError("no segment holds the record", { file: this.directory, offset });
    try {
      return await readSegment(this.#settings.files, segment, { offset, maxBytes });
    } catch (error) {
      this.#refuseTrimmed(offset);
      throw error;
    }
  }

  #startOffset(): number {
    return this.#writer.segments[0]?.baseOffset ?? 0;
  }

  #refuseTrimmed(offset: number): void {
    const start = this.#startOffset();
    if (offset >= start) return;
    const fields = { offset, start_offset: start };
    throw new WinnowError("log_offset_trimmed", `offset ${offset} lies below the start ${start}`, { fields });
  }
}
