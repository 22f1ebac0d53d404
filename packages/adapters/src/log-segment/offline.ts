import { join } from "node:path";
import type { Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { StoredRecord } from "@winnow/ports";
import { corruptError, readError } from "./errors.ts";
import { nodeFiles } from "./files.ts";
import { readSegment } from "./reader.ts";
import { inspectPartition } from "./recover.ts";
import { segmentOf } from "./segment.ts";
import type { Damage } from "./survey.ts";

const readBytes = 1024 * 1024;

/** What a closed log, or a copy of an open one, holds in one partition. */
export interface PartitionReport {
  /** null where nothing was ever written. */
  readonly log_id: string | null;
  readonly partitions: number | null;
  readonly start_offset: number;
  readonly end_offset: number;
  readonly events: number;
  readonly segments: number;
  readonly damages: readonly Damage[];
}

/**
 * Reads all records of a partition in order without opening the log: of a closed directory or of a copy. Changes
 * nothing; a torn end is left out. Throws `log_corrupt` at a damaged record, `log_read_failed`, `data_dir_newer`.
 */
export async function* readSegments(
  dir: string,
  topic: Topic,
  partition: number,
  from?: number,
): AsyncGenerator<StoredRecord, void, undefined> {
  const { found, tail } = await inspect(dir, topic, partition);
  const end = tail?.endOffset ?? 0;
  let offset = from ?? found.segments[0]?.baseOffset ?? 0;
  while (offset < end) {
    const segment = segmentOf(found.segments, offset);
    if (segment === undefined) throw corruptError("no segment holds the record", { file: found.directory, offset });
    const records = await readSegment(nodeFiles, segment, { offset, maxBytes: readBytes });
    yield* records;
    offset += records.length;
  }
}

/** What a partition's files say, for `winnow doctor` and for checking a replay's log_id. Changes nothing. */
export async function describeSegments(dir: string, topic: Topic, partition: number): Promise<PartitionReport> {
  const { found, tail, damages } = await inspect(dir, topic, partition);
  return {
    log_id: found.logId,
    partitions: found.partitions,
    start_offset: found.segments[0]?.baseOffset ?? 0,
    end_offset: tail?.endOffset ?? 0,
    events: tail?.events ?? 0,
    segments: found.segments.length,
    damages,
  };
}

async function inspect(dir: string, topic: Topic, partition: number) {
  const directory = join(dir, topic, String(partition));
  try {
    return await inspectPartition(nodeFiles, { directory, topic, partition });
  } catch (error) {
    throw error instanceof WinnowError ? error : readError(error, directory);
  }
}
