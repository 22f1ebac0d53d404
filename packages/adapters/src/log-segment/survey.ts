import { join } from "node:path";
import type { Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import { corruptError } from "./errors.ts";
import type { SegmentFiles } from "./files.ts";
import { decodeHeader, headerBytesMax, type SegmentHeader, segmentName, segmentNumber } from "./format.ts";
import { newSegment, type Segment } from "./segment.ts";
import { sweep } from "./sweep.ts";

/** A stretch of a segment that holds no whole record although it once held durable ones. */
export interface Damage {
  readonly file: string;
  readonly from_byte: number;
  readonly to_byte: number;
  /** Offsets [from, to) that cannot be read. */
  readonly from_offset: number;
  readonly to_offset: number;
}

/** What a partition's directory holds, as far as the headers tell. */
export interface PartitionFiles {
  readonly directory: string;
  readonly topic: Topic;
  readonly partition: number;
  /** null where there is no segment yet. */
  readonly logId: string | null;
  readonly partitions: number | null;
  /** Ascending. `endOffset` and `bytes` of the last one are not known yet. */
  readonly segments: readonly Segment[];
  /** Files whose creation never ended: no header, no record. */
  readonly stillborn: readonly string[];
  /** Segments whose header is damaged; their records tell what it said. */
  readonly damages: readonly Damage[];
  /** Highest number in any file's name, 0 for none. */
  readonly lastNumber: number;
}

/** Reads the headers of a partition's segments and checks that they belong together. Changes nothing. */
export async function surveyPartition(
  files: SegmentFiles,
  at: { readonly directory: string; readonly topic: Topic; readonly partition: number },
): Promise<PartitionFiles> {
  const names = await files.list(at.directory);
  const numbers = names
    .map(segmentNumber)
    .filter((number) => number !== null)
    .toSorted((left, right) => left - right);
  const looks: Look[] = [];
  for (const number of numbers) {
    looks.push(await look(files, join(at.directory, segmentName(number)), number));
  }
  const whole = looks.map((one) => one.header).filter((header) => header !== null);
  checkHeaders(whole, at);
  const found = looks.filter((one) => one.kind !== "stillborn");
  if (found.length > 0 && whole.length === 0) {
    throw corruptError("no segment of the partition has a readable header", { file: found[0]?.path ?? "", byte: 0 });
  }
  return {
    ...at,
    logId: whole[0]?.log_id ?? null,
    partitions: whole[0]?.partitions ?? null,
    segments: chain(found),
    stillborn: looks.filter((one) => one.kind === "stillborn").map((one) => one.path),
    damages: found.filter((one) => one.header === null).map(headerDamage),
    lastNumber: numbers.at(-1) ?? 0,
  };
}

interface Look {
  readonly kind: "whole" | "headless" | "stillborn";
  readonly path: string;
  readonly header: SegmentHeader | null;
  readonly segment: Segment;
}

async function look(files: SegmentFiles, path: string, number: number): Promise<Look> {
  const file = await files.open(path, "read");
  try {
    const size = await files.size(file);
    const start = Buffer.alloc(Math.min(size, headerBytesMax));
    const filled = await files.read(file, start, 0);
    const decoded = decodeHeader(start.subarray(0, filled));
    if (decoded === "newer") {
      throw new WinnowError("data_dir_newer", "the log was written by a newer version", { fields: { file: path } });
    }
    if (decoded !== null) {
      const segment = { ...newSegment(path, decoded.header, decoded.bytes), bytes: size };
      return { kind: "whole", path, header: decoded.header, segment };
    }
    return await lookForRecords({ files, file }, { path, number, size });
  } finally {
    await files.close(file);
  }
}

/** A header is synced before any record is written: a record behind a bad one means damage, none a torn creation. */
async function lookForRecords(
  source: { readonly files: SegmentFiles; readonly file: number },
  of: { readonly path: string; readonly number: number; readonly size: number },
): Promise<Look> {
  let first: { offset: number; appendedMs: number; byte: number } | undefined;
  await sweep(
    source,
    { from: 0, to: of.size, lowestOffset: 0 },
    {
      frame(frame, byte) {
        first = { offset: frame.offset, appendedMs: frame.appendedMs, byte };
        return false;
      },
      gap: () => true,
    },
  );
  const stand = {
    segment: of.number,
    base_offset: first?.offset ?? 0,
    base_events: 0,
    created_ms: first?.appendedMs ?? 0,
  } as SegmentHeader;
  const segment = { ...newSegment(of.path, stand, first?.byte ?? 0), bytes: of.size };
  return { kind: first === undefined ? "stillborn" : "headless", path: of.path, header: null, segment };
}

function headerDamage(of: Look): Damage {
  const { path, framesFrom, baseOffset } = of.segment;
  return { file: path, from_byte: 0, to_byte: framesFrom, from_offset: baseOffset, to_offset: baseOffset };
}

function checkHeaders(headers: readonly SegmentHeader[], at: { directory: string; topic: Topic; partition: number }) {
  const first = headers[0];
  let base = 0;
  for (const header of headers) {
    const file = join(at.directory, segmentName(header.segment));
    if (header.topic !== at.topic || header.partition !== at.partition) {
      throw corruptError("a segment of another partition stands here", { file, byte: 0 });
    }
    if (header.log_id !== first?.log_id || header.partitions !== first.partitions) {
      throw corruptError("segments of two logs stand in one partition", { file, byte: 0 });
    }
    if (header.base_offset < base) throw corruptError("segments go backwards", { file, byte: 0 });
    base = header.base_offset;
  }
}

/** A segment ends where the next one begins; what stands behind is void. */
function chain(found: readonly Look[]): Segment[] {
  return found.map((one, n) => {
    const next = found[n + 1];
    if (next === undefined) return one.segment;
    const bytes = next.header?.voids?.segment === one.segment.number ? next.header.voids.byte : one.segment.bytes;
    return { ...one.segment, bytes, endOffset: next.segment.baseOffset, newestMs: next.segment.createdMs };
  });
}
