import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Logger, writeDurably } from "@winnow/platform";
import type { EventLog, Ids, PartitionBounds } from "@winnow/ports";
import { recoverSeqs } from "./recover-seqs.ts";
import { misfit, readMarks, type ShipMarks } from "./ship-marks.ts";
import { hasSystemCode } from "./system-code.ts";

const idFile = "receiver_id";

/**
 * The id of a receiver with a log of its own, made with that log and kept in its directory: a log that is deleted takes
 * it along, and its successor numbers records under a new one. `dir` is the log's directory, made if missing.
 * Throws Node's system errors.
 */
export function localReceiverId(dir: string, ids: Ids): string {
  const known = readIfThere(join(dir, idFile))?.trim() ?? "";
  return known === "" ? newReceiverId(dir, ids) : known;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasSystemCode(error, "ENOENT")) return null;
    throw error;
  }
}

function newReceiverId(dir: string, ids: Ids): string {
  const made = ids.token();
  mkdirSync(dir, { recursive: true });
  writeDurably(join(dir, idFile), `${made}\n`);
  return made;
}

export interface LocalReceiverOptions {
  /** Directory of the receiver's own log. */
  readonly dir: string;
  readonly local: EventLog;
  /** The shipper's. */
  readonly stateFile: string;
  readonly ids: Ids;
  readonly logger: Logger;
}

export interface LocalReceiver {
  readonly receiverId: string;
  /** The last seq of the receiver in each partition of its own log, 0 where it never wrote. */
  readonly lastSeqs: readonly number[];
}

/**
 * Who a receiver with a log of its own is, and where its numbers go on. It gets a new id, and begins with 1, when its
 * log is not the one that it wrote: numbers given twice would be dropped as repetitions. Rejects with the log's
 * WinnowError, or when the file system refuses.
 */
export async function localReceiver(options: LocalReceiverOptions): Promise<LocalReceiver> {
  const { dir, local, stateFile, ids, logger } = options;
  const read = await readMarks(stateFile);
  const marks = read === "unreadable" ? null : read;
  let receiverId = localReceiverId(dir, ids);
  const why = await whyAnother(local, receiverId, marks);
  if (why !== null) {
    receiverId = newReceiverId(dir, ids);
    logger.warn(`the receiver goes on under a new id: ${why}`, { receiver_id: receiverId });
  }
  return { receiverId, lastSeqs: await lastSeqsOf(local, receiverId, marks) };
}

/** What was let go after shipping is known from the marks. */
async function lastSeqsOf(local: EventLog, receiverId: string, marks: ShipMarks | null): Promise<number[]> {
  const found = await recoverSeqs({ log: local, receiverId, metas: [] });
  if (marks?.receiver_id !== receiverId) return found;
  return found.map((seq, partition) => Math.max(seq, marks.partitions[partition]?.seq_max ?? 0));
}

async function whyAnother(local: EventLog, receiverId: string, marks: ShipMarks | null): Promise<string | null> {
  for (let partition = 0; partition < local.partitions; partition += 1) {
    const bounds = await local.status("alerts", partition);
    const mark = marks?.partitions[partition] ?? null;
    const why =
      mark === null ? whyWithoutMark(bounds) : marks?.receiver_id === receiverId ? misfit(mark, bounds) : null;
    if (why !== null) return why;
  }
  return null;
}

function whyWithoutMark({ start_offset, end_offset }: PartitionBounds): string | null {
  const isTold = start_offset === 0 || start_offset < end_offset;
  return isTold ? null : "nothing tells any more which numbers it gave";
}
