import type { CommitMeta, EventLog, FactStore, Ids, PartitionBounds, StoredRecord } from "@winnow/ports";

export interface RecoverOptions {
  readonly log: EventLog;
  /** The last commits of stage A: what it has seen needs no reading back. */
  readonly metas: readonly { readonly partition: number; readonly meta: CommitMeta | null }[];
  readonly receiverId: string;
}

const receiverFact = "receiver_id";

/** The id of this receiver, made at its first start. */
export async function receiverIdOf(facts: Pick<FactStore, "fact" | "setFact">, ids: Ids): Promise<string> {
  const known = await facts.fact(receiverFact);
  if (known !== null) return known;
  const made = ids.token();
  await facts.setFact(receiverFact, made);
  return made;
}

/** The last durable seq of the receiver in each partition of `alerts`, 0 where it never wrote. */
export async function recoverSeqs(options: RecoverOptions): Promise<number[]> {
  const partitions = Array.from({ length: options.log.partitions }, (_, partition) => partition);
  return Promise.all(partitions.map((partition) => recoverSeq(partition, options)));
}

/**
 * Looks back from the end of the log for the receiver's last record. Below stage A's position its mark says the same
 * without reading; ticks and other receivers' records may lie in between. Rejects with the log's WinnowError.
 */
export async function recoverSeq(partition: number, options: RecoverOptions): Promise<number> {
  const { log, receiverId } = options;
  const bounds = await boundsOf(log, partition);
  const meta = options.metas.find((entry) => entry.partition === partition)?.meta ?? null;
  const mark = meta?.marks[receiverId]?.[0] ?? 0;
  const range = { start: floorOf(bounds, meta), end: bounds.end_offset };
  const last = await lastRecordOf(receiverId, { log, partition, ...range });
  return last === null ? mark : Math.max(last.seq, mark);
}

/** Where the partition of `alerts` begins and ends; counts nothing. Rejects with the log's WinnowError. */
export async function boundsOf(log: EventLog, partition: number): Promise<PartitionBounds> {
  return log.bounds === undefined ? log.status("alerts", partition) : log.bounds("alerts", partition);
}

function floorOf(bounds: PartitionBounds, meta: CommitMeta | null): number {
  const seenByA = meta !== null && meta.log_id === bounds.log_id ? meta.position : 0;
  return Math.max(bounds.start_offset, seenByA);
}

/** A stretch of one partition of `alerts`. */
export interface Stretch {
  readonly log: EventLog;
  readonly partition: number;
  readonly start: number;
  /** Behind its last record. */
  readonly end: number;
}

export interface FoundRecord {
  readonly receiver_id: string;
  readonly seq: number;
  readonly offset: number;
}

/** Records looked at in the first step back from the end; each further step is four times larger. */
const firstStep = 64;
const readBytes = 1024 * 1024;

/** The receiver's last record in the stretch, looked for from its end. Rejects with the log's WinnowError. */
export async function lastRecordOf(receiverId: string, within: Stretch): Promise<FoundRecord | null> {
  let { end } = within;
  for (let step = firstStep; end > within.start; step *= 4) {
    const start = Math.max(within.start, end - step);
    const found = await readThrough(receiverId, { ...within, start, end });
    if (found !== null) return found;
    end = start;
  }
  return null;
}

async function readThrough(receiverId: string, { log, partition, start, end }: Stretch): Promise<FoundRecord | null> {
  let found: FoundRecord | null = null;
  let offset = start;
  while (offset < end) {
    const records = await log.read("alerts", partition, offset, readBytes);
    const last = records.at(-1);
    if (last === undefined) break;
    found = lastIn(records, receiverId, end) ?? found;
    offset = last.offset + 1;
  }
  return found;
}

function lastIn(records: readonly StoredRecord[], receiver_id: string, end: number): FoundRecord | null {
  const last = records.findLast(
    ({ offset, value }) => offset < end && value.kind === "events" && value.receiver_id === receiver_id,
  );
  return last?.value.kind === "events" ? { receiver_id, seq: last.value.seq, offset: last.offset } : null;
}
