import type { Place } from "./cluster.ts";
import { accept, code, isRefusal } from "./failures.ts";
import type { Link } from "./link.ts";
import { latest, listOffset } from "./list-offset.ts";
import { fetchRequest } from "./requests.ts";

/** The last record that was acknowledged: where it stands, and who wrote it. */
export interface Acknowledged {
  /** Offset behind it. */
  readonly end: number;
  readonly producerId: string;
  readonly sequence: number;
}

/** Where the fields of a batch's head are: https://kafka.apache.org/documentation/#recordbatch */
const head = { bytes: 61, lastOffsetDelta: 23, producerId: 43, baseSequence: 53 } as const;

/**
 * Whether the log still has the record that was acknowledged last. A broker that comes back may have lost it, and another
 * writer may have filled its offset since, so the end alone does not tell. Resolves with the end of the log where it has
 * not. Rejects as `Link.send` does.
 */
export async function lostSince(
  known: Acknowledged,
  at: { readonly topic: string; readonly partition: number },
  { link, place }: { readonly link: Link; readonly place: Place },
): Promise<number | null> {
  const end = await listOffset(link, at, latest);
  if (end < known.end) return end;
  const last = known.end - 1;
  const { topicId, epoch } = place;
  const request = { topicId, topicName: at.topic, partition: at.partition, epoch, offset: last };
  try {
    const { batches } = accept(await link.send(fetchRequest({ ...request, maxBytes: 1, maxWaitMs: 0 })));
    return isAnothers(batches, known) ? end : null;
  } catch (error) {
    // It was let go of, so it had been read; or we may not read, and then the end has to do.
    if (isRefusal(error, code.offsetOutOfRange, code.topicAuthorizationFailed)) return null;
    throw error;
  }
}

/** True when the first batch has the offset, and another producer wrote it. A compacted one may be gone. */
function isAnothers(batches: Buffer, { end, producerId, sequence }: Acknowledged): boolean {
  if (batches.length < head.bytes) return false;
  const delta = end - 1 - Number(batches.readBigInt64BE(0));
  if (delta < 0 || delta > batches.readInt32BE(head.lastOffsetDelta)) return false;
  const isOurs =
    String(batches.readBigInt64BE(head.producerId)) === producerId &&
    batches.readInt32BE(head.baseSequence) + delta === sequence;
  return !isOurs;
}
