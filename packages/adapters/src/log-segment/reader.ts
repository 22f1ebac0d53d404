import type { LogValue } from "@winnow/contracts";
import type { StoredRecord } from "@winnow/ports";
import { corruptError, readError } from "./errors.ts";
import type { SegmentFiles } from "./files.ts";
import { type Frame, frameBytes, frameText } from "./format.ts";
import type { Segment } from "./segment.ts";
import { sweep } from "./sweep.ts";

const chunkBytesMin = 64 * 1024;
const chunkBytesMax = 1024 * 1024;

/**
 * Reads records of one segment from `offset` on, about `maxBytes` of payload but at least one.
 * Rejects with `log_corrupt` when no whole record stands for `offset`, `log_read_failed` when the disk refuses.
 */
export async function readSegment(
  files: SegmentFiles,
  segment: Segment,
  from: { readonly offset: number; readonly maxBytes: number },
): Promise<readonly StoredRecord[]> {
  const end = { offset: segment.endOffset, bytes: segment.bytes };
  const gather = new Gather(segment, { ...from, end: end.offset });
  try {
    const file = await files.open(segment.path, "read");
    try {
      const place = segment.index.floor(from.offset);
      const chunkBytes = Math.min(Math.max(from.maxBytes + frameBytes, chunkBytesMin), chunkBytesMax);
      const range = { from: place.byte, to: end.bytes, lowestOffset: place.offset, chunkBytes };
      await sweep({ files, file }, range, gather);
    } finally {
      await files.close(file);
    }
  } catch (error) {
    throw readError(error, segment.path);
  }
  return gather.result();
}

class Gather {
  readonly #segment: Segment;
  readonly #from: { readonly offset: number; readonly maxBytes: number; readonly end: number };
  readonly #records: StoredRecord[] = [];
  #bytes = 0;
  #next: number;
  /** Where the record that should come next does not stand whole. */
  #brokenAt: number | null = null;
  #byte: number;

  constructor(segment: Segment, from: { offset: number; maxBytes: number; end: number }) {
    this.#segment = segment;
    this.#from = from;
    this.#next = from.offset;
    this.#byte = segment.index.floor(from.offset).byte;
  }

  frame(frame: Frame, byte: number): boolean {
    if (frame.offset < this.#next) {
      this.#segment.index.learn(frame.offset, byte);
      this.#byte = byte + frameBytes + frame.bytes;
      return true;
    }
    if (frame.offset > this.#next || frame.offset >= this.#from.end) {
      this.#brokenAt ??= this.#byte;
      return false;
    }
    this.#brokenAt = null;
    if (this.#records.length > 0 && this.#bytes + frame.bytes > this.#from.maxBytes) return false;
    this.#take(frame, byte);
    return this.#next < this.#from.end && this.#bytes < this.#from.maxBytes;
  }

  gap(from: number): boolean {
    this.#brokenAt = from;
    return this.#records.length === 0;
  }

  /** What was gathered; records before a damage are served, the damage itself never is. */
  result(): readonly StoredRecord[] {
    if (this.#records.length > 0) {
      this.#segment.index.hint(this.#next, this.#byte);
      return this.#records;
    }
    throw corruptError("a record in the log is damaged", {
      file: this.#segment.path,
      byte: this.#brokenAt ?? this.#byte,
      offset: this.#from.offset,
    });
  }

  #take(frame: Frame, byte: number): void {
    this.#segment.index.learn(frame.offset, byte);
    const value = JSON.parse(frameText(frame)) as LogValue;
    this.#records.push({ offset: frame.offset, appended_ms: frame.appendedMs, value });
    this.#bytes += frame.bytes;
    this.#next = frame.offset + 1;
    this.#byte = byte + frameBytes + frame.bytes;
  }
}
