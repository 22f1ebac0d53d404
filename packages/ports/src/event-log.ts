import type { LogValue, Topic } from "@winnow/contracts";

/** A record to append. Values are plain JSON. */
export interface AppendRecord {
  readonly value: LogValue;
  /** The JSON text of `value`, where the caller has it already. */
  readonly text?: string;
  /** Number of accepted events in it; 0 for anything but receivers' records. */
  readonly events: number;
}

export interface StoredRecord {
  readonly offset: number;
  /** Epoch ms at which the log took it. */
  readonly appended_ms: number;
  /**
   * How old a receiver's record was when it was sent to the log, ms, on the receiver's own clock. Logs that several
   * machines write have it: a record's time is then `appended_ms - age_ms`.
   */
  readonly age_ms?: number;
  readonly value: LogValue;
}

export interface PartitionBounds {
  /** Born with the partition's first file: a log deleted and made again has another. */
  readonly log_id: string;
  /** Lowest offset that can still be read. */
  readonly start_offset: number;
  /** Offset after the last durable record. */
  readonly end_offset: number;
}

export interface PartitionStatus extends PartitionBounds {
  /** Accepted events in all records that were ever appended durably, trimmed ones included. */
  readonly events: number;
}

/** Accepted events in the records below an offset, as somebody else counted them: stage A's `seen` at its position. */
export interface CountedEvents {
  readonly offset: number;
  readonly events: number;
}

/**
 * Ordered, durable, partitioned log. Offsets rise by one per record and start at 0.
 * Only durable records are ever read, and an append resolves only once its records are durable.
 */
export interface EventLog {
  readonly partitions: number;
  /**
   * With `counted`, a log that several receivers write counts on from there: then `events` leaves out what was appended
   * twice below it, and costs no more than reading what lies above it. Other logs count for themselves.
   */
  status(topic: Topic, partition: number, counted?: CountedEvents): Promise<PartitionStatus>;
  /** As `status`, without counting; absent where counting costs nothing. */
  bounds?(topic: Topic, partition: number): Promise<PartitionBounds>;
  /**
   * Appends in order; appends to one partition keep the order in which they were called.
   * Resolves with the offset of the first record.
   * Rejects with WinnowError `log_full`, `log_write_failed` (nothing of it is served, unless the process dies before
   * the disk takes any write again: then it may be, once), `log_record_too_large` or `log_closed`; adapters over a
   * network may reject with `log_unknown`: it may or may not have been written, or with `log_refused`: it was not, and
   * will not be before somebody changes a right or a login there. A failed append takes those called behind it down too,
   * until its caller has run.
   */
  append(topic: Topic, partition: number, records: readonly AppendRecord[]): Promise<number>;
  /**
   * How often this process saw that a partition had lost records which it acknowledged to us. The append that finds it is
   * refused with `log_unknown` and writes nothing; whoever built on earlier appends begins again before the next one.
   * Absent where that cannot be.
   */
  losses?(topic: Topic, partition: number): number;
  /**
   * Reads durable records from `offset` on, in order, about `maxBytes` at most but at least one when there is any.
   * Empty when `offset` is the end. Rejects with `log_offset_trimmed` below the start and `log_offset_beyond_end`
   * above the end: neither is ever repaired silently. Rejects with `log_corrupt` at a damaged record, with
   * `log_read_failed` when the disk refuses, and over a network with `log_refused`.
   */
  read(topic: Topic, partition: number, offset: number, maxBytes: number): Promise<readonly StoredRecord[]>;
  /** Resolves true once there is a durable record at `offset`, false when the signal is aborted. Never rejects. */
  wait(topic: Topic, partition: number, offset: number, signal: AbortSignal): Promise<boolean>;
  /** Lets records below `offset` go, in whole segments and only by the age and size settings; never at or above it. */
  trim(topic: Topic, partition: number, offset: number): Promise<void>;
  close(): Promise<void>;
}
