import type { SegmentHeader } from "./format.ts";

/** Bytes between two entries of a segment's index: what a read may have to skip. */
const indexStepBytes = 64 * 1024;

/** Places where readers stopped last; several read one partition at different offsets. */
const hintsMax = 4;

interface Place {
  readonly offset: number;
  readonly byte: number;
}

/** Where records stand in a file: sparse, learned while writing and reading. */
class SegmentIndex {
  readonly #steps: Place[];
  #hints: Place[] = [];

  constructor(first: Place) {
    this.#steps = [first];
  }

  /** Tells that the record `offset` begins at `byte`; kept only where it shortens later reads. */
  learn(offset: number, byte: number): void {
    const last = this.#steps.at(-1);
    if (last !== undefined && offset > last.offset && byte >= last.byte + indexStepBytes) {
      this.#steps.push({ offset, byte });
    }
  }

  /** Tells where a reader will go on. */
  hint(offset: number, byte: number): void {
    this.#hints = [{ offset, byte }, ...this.#hints.filter((hint) => hint.offset !== offset)].slice(0, hintsMax);
  }

  /** The closest known place at or before `offset`. */
  floor(offset: number): Place {
    let low = 0;
    let high = this.#steps.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#steps[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    let best = this.#steps[low] ?? { offset: 0, byte: 0 };
    for (const hint of this.#hints) if (hint.offset <= offset && hint.offset > best.offset) best = hint;
    return best;
  }
}

/** One file. The last of a partition grows; all others stay as they are. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  readonly baseOffset: number;
  readonly baseEvents: number;
  /** When the header was written, epoch ms. */
  readonly createdMs: number;
  /** Where the first frame begins. */
  readonly framesFrom: number;
  readonly index: SegmentIndex;
  /** Offset after the last record that counts: for older segments the base of the next one. */
  endOffset: number;
  /** Bytes that hold those records, header included; what may stand behind them is void. */
  bytes: number;
  /** When its first and newest record were appended; of older segments the newest is known by the next one's birth. */
  firstMs: number | null;
  newestMs: number | null;
}

/** An empty segment with this header. */
export function newSegment(path: string, header: SegmentHeader, headerBytes: number): Segment {
  return {
    number: header.segment,
    path,
    baseOffset: header.base_offset,
    baseEvents: header.base_events,
    createdMs: header.created_ms,
    framesFrom: headerBytes,
    index: new SegmentIndex({ offset: header.base_offset, byte: headerBytes }),
    endOffset: header.base_offset,
    bytes: headerBytes,
    firstMs: null,
    newestMs: null,
  };
}

/** The segment that holds `offset`, undefined for none. */
export function segmentOf(segments: readonly Segment[], offset: number): Segment | undefined {
  return segments.findLast((segment) => segment.baseOffset <= offset && offset < segment.endOffset);
}
