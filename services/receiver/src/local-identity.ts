import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EventLog, Ids } from "@winnow/ports";
import { replaceFileNow } from "./durable-file.ts";
import { recoverSeqs } from "./recover-seqs.ts";
import { readMarks } from "./ship-marks.ts";
import { hasSystemCode } from "./system-code.ts";

const idFile = "receiver_id";

/**
 * The id of a receiver with a log of its own, made with that log and kept in its directory: a log that is deleted takes
 * it along, and its successor numbers records under a new one. `dir` is the log's directory, made if missing.
 * Throws Node's system errors.
 */
export function localReceiverId(dir: string, ids: Ids): string {
  const path = join(dir, idFile);
  const known = readIfThere(path)?.trim() ?? "";
  if (known !== "") return known;
  const made = ids.token();
  mkdirSync(dir, { recursive: true });
  replaceFileNow(path, `${made}\n`);
  return made;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasSystemCode(error, "ENOENT")) return null;
    throw error;
  }
}

/**
 * The last seq of the receiver in each partition of its own log, 0 where it never wrote. What was let go after shipping
 * is known from the shipper's marks. Rejects with the log's WinnowError.
 */
export async function recoverLocalSeqs(options: {
  readonly local: EventLog;
  readonly receiverId: string;
  readonly stateFile: string;
}): Promise<number[]> {
  const { local, receiverId } = options;
  const marks = await readMarks(options.stateFile);
  const found = await recoverSeqs({ log: local, receiverId, metas: [] });
  if (marks !== null && marks !== "unreadable") {
    if (marks.receiver_id !== receiverId) return found;
    return found.map((seq, partition) => Math.max(seq, marks.partitions[partition]?.seq_max ?? 0));
  }
  return Promise.all(found.map((seq, partition) => withoutMarks(local, { partition, seq })));
}

/** A receiver numbers its log from the first record on, so that no seq lies above the log's end. */
async function withoutMarks(
  local: EventLog,
  { partition, seq }: { readonly partition: number; readonly seq: number },
): Promise<number> {
  if (seq > 0) return seq;
  const { start_offset, end_offset } = await local.status("alerts", partition);
  return start_offset === end_offset ? end_offset : 0;
}
