import { crc32 } from "node:zlib";
import type { Topic } from "@winnow/contracts";

/** Version of the files. A newer one is refused with `data_dir_newer`. */
const formatVersion = 1;

/** Bytes in front of a record's payload. */
export const frameBytes = 32;

/** A longer payload in a file is taken for damage. Far above `recordBytesMax`, so that the limit can be raised. */
export const payloadBytesMax = 256 * 1024 * 1024;

/** 0xF5 0xFE: two bytes that never occur in UTF-8, so that no payload contains them. */
const marker = Buffer.from([0xf5, 0xfe]);
const markerNumber = marker.readUInt16LE(0);

const magic = Buffer.from("WINNOWL\n", "latin1");
/** Magic, format version, length and checksum of the JSON text. These 20 bytes stay the same in every version. */
const headerPrefixBytes = 20;
const headerJsonBytesMax = 64 * 1024;

/** Largest header in bytes. */
export const headerBytesMax = headerPrefixBytes + headerJsonBytesMax;

/** Where the copy of records that failed to become durable begins, in the segment before. */
export interface Voids {
  readonly segment: number;
  readonly byte: number;
  readonly offset: number;
}

export interface SegmentHeader {
  readonly log_id: string;
  readonly topic: Topic;
  readonly partition: number;
  readonly partitions: number;
  /** Number in the file's name; rises, never used twice. */
  readonly segment: number;
  readonly base_offset: number;
  /** Accepted events in all records below `base_offset`. */
  readonly base_events: number;
  readonly created_ms: number;
  readonly voids: Voids | null;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header), "utf8");
  const bytes = Buffer.alloc(headerPrefixBytes + json.length);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(formatVersion, 8);
  bytes.writeUInt32LE(json.length, 12);
  json.copy(bytes, headerPrefixBytes);
  bytes.writeUInt32LE(headerChecksum(bytes), 16);
  return bytes;
}

/** null: no whole header stands here; "newer": a whole one of a later version. */
export function decodeHeader(
  bytes: Buffer,
): { readonly header: SegmentHeader; readonly bytes: number } | "newer" | null {
  if (bytes.length < headerPrefixBytes || !bytes.subarray(0, magic.length).equals(magic)) return null;
  const end = headerPrefixBytes + bytes.readUInt32LE(12);
  if (end > bytes.length || bytes.readUInt32LE(16) !== headerChecksum(bytes.subarray(0, end))) return null;
  if (bytes.readUInt32LE(8) > formatVersion) return "newer";
  return { header: JSON.parse(bytes.toString("utf8", headerPrefixBytes, end)) as SegmentHeader, bytes: end };
}

function headerChecksum(bytes: Buffer): number {
  return crc32(bytes.subarray(headerPrefixBytes), crc32(bytes.subarray(0, 16)));
}

/** A record to encode. `bytes` is the length of `text` as UTF-8. */
export interface FrameInput {
  readonly text: string;
  readonly bytes: number;
  readonly offset: number;
  readonly appendedMs: number;
  /** Accepted events in the partition up to and with this record. */
  readonly events: number;
  /** Bytes of this file that were known to be durable when the record was written. */
  readonly confirmed: number;
}

/** Writes one frame at `at` and returns where the next one begins. */
export function encodeFrame(into: Buffer, at: number, frame: FrameInput): number {
  const end = at + frameBytes + frame.bytes;
  into.writeUInt16LE(markerNumber, at);
  into.writeUInt32LE(frame.bytes, at + 6);
  into.writeUInt32LE(frame.confirmed, at + 10);
  into.writeUIntLE(frame.offset, at + 14, 6);
  into.writeUIntLE(frame.appendedMs, at + 20, 6);
  into.writeUIntLE(frame.events, at + 26, 6);
  // As many bytes as characters means ASCII, which needs no encoding.
  into.write(frame.text, at + frameBytes, frame.bytes === frame.text.length ? "latin1" : "utf8");
  into.writeUInt32LE(crc32(into.subarray(at + 6, end)), at + 2);
  return end;
}

/** A record as it stands in a buffer; valid until the buffer is filled again. */
export interface Frame {
  readonly buffer: Buffer;
  readonly payloadAt: number;
  /** Payload bytes. */
  readonly bytes: number;
  readonly offset: number;
  readonly appendedMs: number;
  readonly events: number;
  readonly confirmed: number;
}

/** A frame, null for damage, or how many bytes from `at` on are needed to tell. */
export function decodeFrame(buffer: Buffer, at: number, filled: number): Frame | null | number {
  if (filled - at < frameBytes) return frameBytes;
  if (buffer.readUInt16LE(at) !== markerNumber) return null;
  const bytes = buffer.readUInt32LE(at + 6);
  if (bytes > payloadBytesMax) return null;
  const end = at + frameBytes + bytes;
  if (end > filled) return frameBytes + bytes;
  if (crc32(buffer.subarray(at + 6, end)) !== buffer.readUInt32LE(at + 2)) return null;
  return {
    buffer,
    payloadAt: at + frameBytes,
    bytes,
    offset: buffer.readUIntLE(at + 14, 6),
    appendedMs: buffer.readUIntLE(at + 20, 6),
    events: buffer.readUIntLE(at + 26, 6),
    confirmed: buffer.readUInt32LE(at + 10),
  };
}

export function frameText(frame: Frame): string {
  return frame.buffer.toString("utf8", frame.payloadAt, frame.payloadAt + frame.bytes);
}

/** Index of the next place where a frame may begin, -1 for none. A lone first marker byte at the end counts. */
export function findMarker(buffer: Buffer, from: number): number {
  const at = buffer.indexOf(marker, from);
  if (at >= 0) return at;
  const last = buffer.length - 1;
  return last >= from && buffer[last] === marker[0] ? last : -1;
}

/** `0000000042.seg` */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, "0")}.seg`;
}

/** Number of a segment's file name, null for other files. */
export function segmentNumber(name: string): number | null {
  return /^\d{10}\.seg$/.test(name) ? Number(name.slice(0, 10)) : null;
}
