import type { SegmentFiles } from "./files.ts";
import { decodeFrame, type Frame, findMarker, frameBytes, payloadBytesMax } from "./format.ts";

/** Bytes read at a time unless a record is larger. */
const chunkBytesDefault = 256 * 1024;

export interface SweepRange {
  /** First byte to look at and the byte after the last. */
  readonly from: number;
  readonly to: number;
  /** A frame with a lower offset is taken for damage: offsets only rise. */
  readonly lowestOffset: number;
  readonly chunkBytes?: number;
}

export interface SweepVisitor {
  /** A whole frame at `byte`. Returns false to stop. The frame must not be kept. */
  frame(frame: Frame, byte: number): boolean;
  /** Bytes [from, to) hold no whole frame. Returns false to stop. */
  gap(from: number, to: number): boolean;
}

/** Visits every whole frame of a range in order and every stretch between them that is none. */
export async function sweep(
  source: { readonly files: SegmentFiles; readonly file: number },
  range: SweepRange,
  visitor: SweepVisitor,
): Promise<void> {
  const window = new Window(source, range);
  let at = range.from;
  let gapFrom = -1;
  let lowest = range.lowestOffset;
  while (at < range.to) {
    const found = await settle(window, at);
    if (found === null || found.offset < lowest) {
      if (gapFrom < 0) gapFrom = at;
      at = await window.markerAfter(at);
      continue;
    }
    if (gapFrom >= 0 && !visitor.gap(gapFrom, at)) return;
    gapFrom = -1;
    lowest = found.offset + 1;
    if (!visitor.frame(found, at)) return;
    at += frameBytes + found.bytes;
  }
  if (gapFrom >= 0) visitor.gap(gapFrom, range.to);
}

function settle(window: Window, at: number): Frame | null | Promise<Frame | null> {
  const found = window.peek(at);
  return typeof found === "number" ? window.load(at, found) : found;
}

/** A stretch of the file in memory. */
class Window {
  readonly #source: { readonly files: SegmentFiles; readonly file: number };
  readonly #to: number;
  readonly #chunkBytes: number;
  #buffer = Buffer.alloc(0);
  #start = 0;
  #filled = 0;

  constructor(source: { readonly files: SegmentFiles; readonly file: number }, range: SweepRange) {
    this.#source = source;
    this.#to = range.to;
    this.#chunkBytes = range.chunkBytes ?? chunkBytesDefault;
    this.#start = range.from;
  }

  /** The frame at a byte, null for none, or how many bytes must be loaded to tell. */
  peek(at: number): Frame | null | number {
    const needed = decodeFrame(this.#buffer, at - this.#start, this.#filled);
    if (typeof needed === "number" && (at + needed > this.#to || needed > frameBytes + payloadBytesMax)) return null;
    return needed;
  }

  /** Loads from `at` until a frame there is whole. */
  async load(at: number, needed: number): Promise<Frame | null> {
    let want = needed;
    while (true) {
      if (!(await this.#fill(at, want))) return null;
      const found = this.peek(at);
      if (typeof found !== "number") return found;
      want = found;
    }
  }

  /** The next byte after `at` where a frame may begin, or the end of the range. */
  async markerAfter(at: number): Promise<number> {
    let from = at + 1;
    while (from < this.#to) {
      if (from >= this.#start + this.#filled && !(await this.#fill(from, 1))) return this.#to;
      const found = findMarker(this.#buffer.subarray(0, this.#filled), from - this.#start);
      if (found >= 0) return this.#start + found;
      from = this.#start + this.#filled;
    }
    return this.#to;
  }

  async #fill(at: number, atLeast: number): Promise<boolean> {
    const bytes = Math.min(Math.max(atLeast, this.#chunkBytes), this.#to - at);
    if (bytes <= 0) return false;
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafe(bytes);
    this.#start = at;
    this.#filled = await this.#source.files.read(this.#source.file, this.#buffer.subarray(0, bytes), at);
    return this.#filled >= Math.min(atLeast, bytes);
  }
}
