import type { SegmentFiles } from "./files.ts";
import { frameBytes } from "./format.ts";
import type { Segment } from "./segment.ts";
import type { Damage } from "./survey.ts";
import { sweep } from "./sweep.ts";

/** What the newest segment of a partition holds. */
export interface Tail {
  /** Bytes that hold whole records and damage among them; what stands behind was never confirmed and is cut. */
  readonly bytes: number;
  readonly endOffset: number;
  readonly events: number;
  readonly firstMs: number | null;
  readonly newestMs: number | null;
  /** Bytes below were durable before the last group was written; the rest is written again before it is served. */
  readonly confirmed: number;
  readonly damages: readonly Damage[];
}

/** The tail as it was before a gap, and the gap. */
interface Gap {
  readonly before: Omit<Tail, "damages">;
  readonly to: number;
  readonly toOffset: number;
}

/**
 * Reads a whole segment and tells a torn tail from damage. Every record says how many bytes of its file were durable
 * when it was written. So a gap with a record behind it that confirms bytes beyond the gap's start once held durable
 * records: that is damage, and stays. Any other gap was never confirmed to anybody and begins the torn tail.
 */
export async function readTail(files: SegmentFiles, segment: Segment, size: number): Promise<Tail> {
  const gaps: Gap[] = [];
  let state: Omit<Tail, "damages"> = {
    bytes: segment.framesFrom,
    endOffset: segment.baseOffset,
    events: segment.baseEvents,
    firstMs: null,
    newestMs: null,
    confirmed: 0,
  };
  let confirmedMost = 0;
  const file = await files.open(segment.path, "read");
  try {
    await sweep(
      { files, file },
      { from: segment.framesFrom, to: size, lowestOffset: segment.baseOffset },
      {
        frame(frame, byte) {
          if (frame.offset > state.endOffset) gaps.push({ before: state, to: byte, toOffset: frame.offset });
          // Behind a gap nothing is learned: what is cut must not be found again.
          if (gaps.length === 0) segment.index.learn(frame.offset, byte);
          confirmedMost = Math.max(confirmedMost, frame.confirmed);
          state = {
            bytes: byte + frameBytes + frame.bytes,
            endOffset: frame.offset + 1,
            events: frame.events,
            firstMs: state.firstMs ?? frame.appendedMs,
            newestMs: frame.appendedMs,
            confirmed: frame.confirmed,
          };
          return true;
        },
        gap(from, to) {
          // A gap that swallowed records is noticed by the jump of the next frame's offset; this one is the last.
          if (to === size) gaps.push({ before: { ...state, bytes: from }, to, toOffset: state.endOffset });
          return true;
        },
      },
    );
  } finally {
    await files.close(file);
  }
  const torn = gaps.findIndex((gap) => gap.before.bytes >= confirmedMost);
  const kept = torn < 0 ? gaps : gaps.slice(0, torn);
  return {
    ...(gaps[torn]?.before ?? state),
    damages: kept.map((gap) => ({
      file: segment.path,
      from_byte: gap.before.bytes,
      to_byte: gap.to,
      from_offset: gap.before.endOffset,
      to_offset: gap.toOffset,
    })),
  };
}
