import type { Clock } from "@winnow/ports";
import type { SegmentFiles } from "./files.ts";

/** Largest record as JSON in UTF-8; a larger one is refused with `log_record_too_large`. */
export const recordBytesMaxDefault = 16 * 1024 * 1024;

/** Appends that wait for their flush, per partition; beyond it they are refused with `log_full`. */
export const pendingBytesMaxDefault = 64 * 1024 * 1024;

/** One flush takes about this much, and at least one append. */
export const groupBytesMaxDefault = 8 * 1024 * 1024;

/** JSON bytes of records kept in memory until their consumer has read them, per partition. */
export const cacheBytesMaxDefault = 8 * 1024 * 1024;

export const segmentBytesDefault = 64 * 1024 * 1024;

/** Records say in 32 bits how much of their file was durable. */
export const segmentBytesMax = 1024 * 1024 * 1024;

export const partitionsDefault = 4;

export const freeSpaceFloorBytesDefault = 256 * 1024 * 1024;

/** What the log needs of a logger; pino's has it. */
export interface SegmentLogLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Records are kept at least until both their consumers allow it (`trim`) and one of these is exceeded. */
export interface SegmentRetention {
  /** Age of a segment's newest record. */
  readonly maxAgeMs: number;
  /** Bytes of all segments of all topics and partitions together. */
  readonly maxBytes: number;
}

export interface SegmentLogOptions {
  /** Directory of this log alone; made if missing. One process at a time: the caller holds the lock. */
  readonly dir: string;
  readonly partitions?: number;
  /** A segment that has reached it is followed by a new one. Lowered where `maxBytes` is small. */
  readonly segmentBytes?: number;
  readonly retention: SegmentRetention;
  readonly clock: Clock;
  readonly log: SegmentLogLogger;
  /** Free bytes of the file system below which topic `alerts` is refused, and below half of which all topics are. */
  readonly freeSpaceFloorBytes?: number;
  readonly recordBytesMax?: number;
  readonly pendingBytesMax?: number;
  readonly groupBytesMax?: number;
  readonly cacheBytesMax?: number;
  readonly fs?: SegmentFiles;
  /** false gives up durability and exists for the test that shows what it costs. */
  readonly fsync?: boolean;
}

/** Options with defaults applied, as the parts of the log use them. */
export interface Settings {
  readonly partitions: number;
  readonly segmentBytes: number;
  /** A segment whose first record is older is followed by a new one, so that retention can take it. */
  readonly segmentAgeMs: number;
  readonly retention: SegmentRetention;
  readonly clock: Clock;
  readonly log: SegmentLogLogger;
  readonly recordBytesMax: number;
  readonly pendingBytesMax: number;
  readonly groupBytesMax: number;
  readonly cacheBytesMax: number;
  readonly files: SegmentFiles;
}
