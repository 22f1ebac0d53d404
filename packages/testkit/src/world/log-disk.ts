import { type LogValue, type Topic, topics } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { AppendRecord, PartitionStatus, StoredRecord } from "@winnow/ports";

/** A record on the disk or in its cache. */
export interface DiskRecord {
  readonly appended_ms: number;
  /** Of receivers' records, where machines of their own ship them. */
  readonly age_ms?: number;
  readonly value: LogValue;
  readonly events: number;
}

/** A record to write, with its age where its sender tells it. */
export type AgedRecord = AppendRecord & { readonly age_ms?: number };

/** How a disk may be wrong: planted faults of the tests of the test. */
export interface DiskFlaws {
  /** Readers are shown what is only in the cache. */
  readonly servesUnsynced: boolean;
  /** A process that opens the log shows the tail without syncing it first. */
  readonly recoversWithoutSync: boolean;
}

export const soundDisk: DiskFlaws = { servesUnsynced: false, recoversWithoutSync: false };

/** One partition's file: what is synced survives a power cut, the rest is only in the cache. */
export class DiskPartition {
  readonly logId: string;
  readonly records: DiskRecord[] = [];
  /** Records that a power cut leaves. */
  synced = 0;
  /** Records that readers are shown. */
  served = 0;
  /** Records below it are gone for readers; the tests still see them. */
  start = 0;
  /** The cache is about to be written back by itself. */
  writingBack = false;
  /** Failed appends that are still in the file: read again if their writer dies before anything is written behind them. */
  #ghosts: { readonly record: DiskRecord; readonly isDead: () => boolean }[] = [];
  readonly #waiters = new Set<{ readonly offset: number; readonly wake: () => void }>();

  constructor(logId: string) {
    this.logId = logId;
  }

  write(record: AgedRecord, now: number): DiskRecord {
    // Through its text, as on a real disk: what JSON cannot hold does not come back.
    const value = JSON.parse(record.text ?? JSON.stringify(record.value)) as LogValue;
    const aged = record.age_ms === undefined ? {} : { age_ms: record.age_ms };
    const stored = { appended_ms: now, ...aged, value, events: record.events };
    this.#ghosts = [];
    this.records.push(stored);
    return stored;
  }

  /** Everything written so far becomes durable and is served. */
  sync(): void {
    this.synced = this.records.length;
    this.serve(this.synced);
  }

  serve(end: number): void {
    this.served = Math.max(this.served, end);
    for (const waiter of this.#waiters)
      if (waiter.offset < this.served) {
        this.#waiters.delete(waiter);
        waiter.wake();
      }
  }

  /** Lets go of what lies below `offset`; resolves with how many records those are. */
  trim(offset: number): number {
    const gone = Math.max(0, Math.min(offset, this.served) - this.start);
    this.start += gone;
    return gone;
  }

  /** Takes back a record that is not durable; false when it already is. `isDead`: its writer is. */
  void(record: DiskRecord, isDead: () => boolean): boolean {
    const at = this.records.indexOf(record);
    if (at >= 0 && at < this.synced) return false;
    if (at >= 0) {
      this.records.splice(at, 1);
      if (at === this.records.length) this.#ghosts.push({ record, isDead });
    }
    return true;
  }

  /** A process opens the file again, and finds what dead writers left in it. */
  reopen(): void {
    for (const { record, isDead } of this.#ghosts) if (isDead()) this.records.push(record);
    this.#ghosts = this.#ghosts.filter(({ isDead }) => !isDead());
  }

  /** The power fails: of what was not synced, `kept` records happened to reach the disk. */
  cut(kept: number): void {
    this.records.length = Math.min(this.records.length, this.synced + kept);
    this.#ghosts = [];
    this.synced = this.records.length;
    this.served = this.records.length;
  }

  status(): PartitionStatus {
    let events = 0;
    for (let at = 0; at < this.served; at += 1) events += this.records[at]?.events ?? 0;
    return { log_id: this.logId, start_offset: this.start, end_offset: this.served, events };
  }

  read(offset: number, max: number): StoredRecord[] {
    if (offset < this.start)
      throw new WinnowError("log_offset_trimmed", `offset ${offset} lies below the start ${this.start}`);
    if (offset > this.served)
      throw new WinnowError("log_offset_beyond_end", `offset ${offset} lies above the end ${this.served}`);
    return this.#stored(offset, max);
  }

  /** Everything that was ever served, what is gone for readers too. */
  everything(): StoredRecord[] {
    return this.#stored(0, Number.MAX_SAFE_INTEGER);
  }

  #stored(offset: number, max: number): StoredRecord[] {
    return this.records.slice(offset, Math.min(this.served, offset + max)).map((record, at) => ({
      offset: offset + at,
      appended_ms: record.appended_ms,
      ...(record.age_ms === undefined ? {} : { age_ms: record.age_ms }),
      value: record.value,
    }));
  }

  /** Calls `wake` once there is a new record at `offset`. Returns how to give up waiting. */
  wait(offset: number, wake: () => void): () => void {
    const waiter = { offset, wake };
    this.#waiters.add(waiter);
    return () => {
      this.#waiters.delete(waiter);
    };
  }
}

/** The log's disk: three topics of a few partitions, durable told from volatile. */
export class LogDisk {
  /** How far the log's own clock runs ahead of the world's, ms: it may be set at any moment. */
  skewMs = 0;
  readonly partitions: number;
  readonly #flaws: DiskFlaws;
  readonly #files = new Map<Topic, readonly DiskPartition[]>();

  constructor(partitions: number, flaws: DiskFlaws = soundDisk) {
    this.partitions = partitions;
    this.#flaws = flaws;
    for (const topic of topics)
      this.#files.set(
        topic,
        Array.from({ length: partitions }, (_, partition) => new DiskPartition(`${topic}-${partition}`)),
      );
  }

  file(topic: Topic, partition: number): DiskPartition {
    const file = this.#files.get(topic)?.[partition];
    if (file === undefined) throw new Error(`no partition ${partition} of ${topic}`);
    return file;
  }

  /** Every partition of a topic, in order. */
  files(topic: Topic): readonly DiskPartition[] {
    return this.#files.get(topic) ?? [];
  }

  /** A process opens the log again: the tail that its predecessor left in the cache is synced, then served. */
  recover(): void {
    for (const topic of topics) for (const file of this.files(topic)) this.#reopen(file);
  }

  #reopen(file: DiskPartition): void {
    file.reopen();
    if (this.#flaws.recoversWithoutSync) file.serve(file.records.length);
    else file.sync();
  }

  write(topic: Topic, partition: number, records: readonly AgedRecord[], now: number): DiskRecord[] {
    const file = this.file(topic, partition);
    const written = records.map((record) => file.write(record, now + this.skewMs));
    if (this.#flaws.servesUnsynced) file.serve(file.records.length);
    return written;
  }

  /** `keep` says how many of a partition's unsynced records reached the disk. */
  cut(keep: (unsynced: number) => number): void {
    for (const topic of topics) for (const file of this.files(topic)) file.cut(keep(file.records.length - file.synced));
  }
}
