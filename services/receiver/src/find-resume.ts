import { type Logger, WinnowError } from "@winnow/platform";
import type { EventLog, PartitionBounds, StoredRecord } from "@winnow/ports";
import { boundsOf, type FoundRecord, lastRecordOf } from "./recover-seqs.ts";

export interface ResumeOptions {
  readonly local: EventLog;
  readonly shared: EventLog;
  readonly receiverId: string;
  readonly partition: number;
  readonly logger: Logger;
}

/** Records of the shared log that are looked at in any case. */
const lookBackMin = 256;
const readBytes = 1024 * 1024;

/** Where to go on. */
export interface Resume {
  /** Offset in the local log of the first record to ship. */
  readonly offset: number;
  /** The receiver's last record that the shared log has; null when none was found. */
  readonly last: FoundRecord | null;
}

/**
 * Where to ship from: behind the receiver's last record that the shared log has within `bounds`, or from the start of
 * the local log when none is found. The look back is no longer than the local log, which costs less to send again than
 * more looking would. Rejects with the logs' WinnowErrors; with `log_offset_beyond_end` when the shared log has records
 * of this receiver that its own log never held.
 */
export async function findResume(options: ResumeOptions, bounds: PartitionBounds): Promise<Resume> {
  const { local, shared, receiverId, partition, logger } = options;
  const { start_offset, end_offset } = await boundsOf(local, partition);
  if (start_offset === end_offset) return { offset: start_offset, last: null };
  const end = bounds.end_offset;
  const start = Math.max(bounds.start_offset, end - Math.max(lookBackMin, end_offset - start_offset));
  const last = await lastRecordOf(receiverId, { log: shared, partition, start, end });
  if (last === null) return { offset: start_offset, last };
  const { seq } = last;
  const [first] = await local.read("alerts", partition, start_offset, 1);
  const firstSeq = first === undefined ? null : seqOf(first, receiverId);
  if (firstSeq !== null && firstSeq > seq + 1) {
    const message = "the shared log lost records that are no longer kept here: they are gone";
    logger.error(message, { partition, from_seq: seq + 1, to_seq: firstSeq - 1 });
    return { offset: start_offset, last };
  }
  const guess = firstSeq === null ? -1 : start_offset + seq - firstSeq;
  if (guess >= start_offset && guess < end_offset) {
    const [record] = await local.read("alerts", partition, guess, 1);
    if (record !== undefined && seqOf(record, receiverId) === seq) return { offset: guess + 1, last };
  }
  return { offset: await search(options, { seq, start: start_offset, end: end_offset }), last };
}

function seqOf({ value }: StoredRecord, receiverId: string): number | null {
  return value.kind === "events" && value.receiver_id === receiverId ? value.seq : null;
}

/** Reads from the start: only where the log holds more than this receiver's records. */
async function search(
  { local, receiverId, partition }: ResumeOptions,
  { seq, start, end }: { readonly seq: number; readonly start: number; readonly end: number },
): Promise<number> {
  let offset = start;
  let found = start;
  let seqMax = 0;
  while (offset < end && seqMax < seq) {
    const records = await local.read("alerts", partition, offset, readBytes);
    const last = records.at(-1);
    if (last === undefined) break;
    for (const record of records) {
      const own = seqOf(record, receiverId);
      if (own === null) continue;
      seqMax = Math.max(seqMax, own);
      if (own <= seq) found = record.offset + 1;
    }
    offset = last.offset + 1;
  }
  if (seqMax >= seq) return found;
  const message = "the shared log has records of this receiver that its own log does not have: the log was put back";
  throw new WinnowError("log_offset_beyond_end", message, { fields: { partition, seq, seq_max: seqMax } });
}
