import type { CommitMeta, EventLog, FactStore, Ids, PartitionBounds, StoredRecord } from "@winnow/ports";

export interface RecoverOptions {
  readonly log: EventLog;
  /** The last commits of stage A: what it has seen needs no reading back. */
  readonly metas: readonly { readonly partition: number; readonly meta: CommitMeta | null }[];
  readonly receiverId: string;
  /** Looks no further back than this many records; all of them unless given. */
  readonly recordsMax?: number;
  /** Looks at records below this offset alone. */
  readonly below?: number;
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

/** Records looked at in the first step back from the end; each further step is four times larger. */
const firstStep = 64;
const readBytes = 1024 * 1024;

/**
 * Looks back from the end of the log for the receiver's last record. Below stage A's position its mark says the same
 * without reading; ticks and other receivers' records may lie in between. Rejects with the log's WinnowError.
 */
export async function recoverSeq(partition: number, options: RecoverOptions): Promise<number> {
  const bounds = await boundsOf(options.log, partition);
  const meta = options.metas.find((entry) => entry.partition === partition)?.meta ?? null;
  const mark = meta?.marks[options.receiverId]?.[0] ?? 0;
  let end = Math.min(bounds.end_offset, options.below ?? bounds.end_offset);
  const floor = Math.max(floorOf(bounds, meta), end - (options.recordsMax ?? end));
  for (let step = firstStep; end > floor; step *= 4) {
    const start = Math.max(floor, end - step);
    const seq = await lastSeqBetween(partition, { start, end }, options);
    if (seq !== null) return Math.max(seq, mark);
    end = start;
  }
  return mark;
}

/** Where the partition of `alerts` begins and ends; counts nothing. Rejects with the log's WinnowError. */
export async function boundsOf(log: EventLog, partition: number): Promise<PartitionBounds> {
  return log.bounds === undefined ? log.status("alerts", partition) : log.bounds("alerts", partition);
}

function floorOf(bounds: PartitionBounds, meta: CommitMeta | null): number {
  const seenByA = meta !== null && meta.log_id === bounds.log_id ? meta.position : 0;
  return Math.max(bounds.start_offset, seenByA);
}

async function lastSeqBetween(
  partition: number,
  range: { readonly start: number; readonly end: number },
  options: RecoverOptions,
): Promise<number | null> {
  let seq: number | null = null;
  let offset = range.start;
  while (offset < range.end) {
    const read = await options.log.read("alerts", partition, offset, readBytes);
    const records = read.filter((record) => record.offset < range.end);
    const last = records.at(-1);
    if (last === undefined) break;
    seq = lastSeqIn(records, options.receiverId) ?? seq;
    offset = last.offset + 1;
  }
  return seq;
}

function lastSeqIn(records: readonly StoredRecord[], receiverId: string): number | null {
  const last = records.findLast(({ value }) => value.kind === "events" && value.receiver_id === receiverId);
  return last?.value.kind === "events" ? last.value.seq : null;
}
