import type { AppendRecord, StoredRecord } from "@winnow/ports";
import { encodeFrame, frameBytes } from "./format.ts";

/** One call of append, serialised, waiting for its flush. */
export interface PendingAppend {
  readonly records: readonly AppendRecord[];
  /** JSON of each record and its length as UTF-8. */
  readonly texts: readonly string[];
  readonly sizes: readonly number[];
  /** Payload bytes of all of them. */
  readonly bytes: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: Error) => void;
}

/** Where a group begins. */
export interface GroupStart {
  readonly offset: number;
  /** Accepted events before it. */
  readonly events: number;
  /** Durable bytes of the file. */
  readonly confirmed: number;
  readonly nowMs: number;
}

/** A group as one stretch of bytes, and what it is in memory once it is durable. */
export interface EncodedGroup {
  readonly bytes: Buffer;
  readonly stored: readonly StoredRecord[];
  readonly endOffset: number;
  readonly events: number;
}

/** Turns groups into bytes in one buffer that is used again: only one group of a partition is ever under way. */
export class GroupEncoder {
  readonly #keepBytesMax: number;
  #buffer = Buffer.alloc(0);

  constructor(keepBytesMax: number) {
    this.#keepBytesMax = keepBytesMax;
  }

  encode(group: readonly PendingAppend[], start: GroupStart): EncodedGroup {
    const buffer = this.#reserve(group);
    const stored: StoredRecord[] = [];
    let { offset, events } = start;
    let at = 0;
    for (const append of group) {
      for (const [n, record] of append.records.entries()) {
        events += record.events;
        at = encodeFrame(buffer, at, {
          text: append.texts[n] ?? "",
          bytes: append.sizes[n] ?? 0,
          offset,
          appendedMs: start.nowMs,
          events,
          confirmed: start.confirmed,
        });
        stored.push({ offset, appended_ms: start.nowMs, value: record.value });
        offset += 1;
      }
    }
    return { bytes: buffer.subarray(0, at), stored, endOffset: offset, events };
  }

  #reserve(group: readonly PendingAppend[]): Buffer {
    let bytes = 0;
    for (const append of group) bytes += append.bytes + append.records.length * frameBytes;
    if (bytes <= this.#buffer.length) return this.#buffer;
    const buffer = Buffer.allocUnsafeSlow(bytes > this.#keepBytesMax ? bytes : Math.min(bytes * 2, this.#keepBytesMax));
    if (buffer.length <= this.#keepBytesMax) this.#buffer = buffer;
    return buffer;
  }
}
