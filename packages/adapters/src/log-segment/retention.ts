import type { Settings } from "./options.ts";
import type { Partition } from "./partition.ts";
import type { Segment } from "./segment.ts";

/** A partition and the offset below which its consumers need nothing any more, as they said last. */
export interface Allowance {
  readonly partition: Partition;
  below: number;
}

/**
 * Removes whole segments that consumers need no more: those whose newest record is older than `maxAgeMs`, then the
 * oldest of all partitions while all of them together hold more than `maxBytes`. The last segment of a partition
 * stays; one that is old as a whole is followed by an empty one first, so that it can go.
 */
export async function applyRetention(settings: Settings, allowances: readonly Allowance[]): Promise<void> {
  for (const allowance of allowances) {
    if (lastIsOld(settings, allowance)) await allowance.partition.roll();
    while (isOld(settings, removable(allowance))) await allowance.partition.removeOldest();
  }
  while (totalBytes(allowances) > settings.retention.maxBytes) {
    const oldest = oldestOf(allowances);
    if (oldest === undefined) return;
    await oldest.partition.removeOldest();
  }
}

/** Bytes of all segments. */
export function totalBytes(allowances: readonly Allowance[]): number {
  let bytes = 0;
  for (const { partition } of allowances) for (const segment of partition.segments) bytes += segment.bytes;
  return bytes;
}

/** The oldest segment if all of it lies below the allowance and it is not the last. */
function removable(allowance: Allowance): Segment | undefined {
  const [oldest, next] = allowance.partition.segments;
  return next !== undefined && oldest !== undefined && oldest.endOffset <= allowance.below ? oldest : undefined;
}

function isOld(settings: Settings, segment: Segment | undefined): boolean {
  if (segment === undefined) return false;
  const newestMs = segment.newestMs ?? segment.createdMs;
  return settings.clock.now() - newestMs >= settings.retention.maxAgeMs;
}

function lastIsOld(settings: Settings, { partition, below }: Allowance): boolean {
  const last = partition.segments.at(-1);
  if (last === undefined || last.endOffset === last.baseOffset || last.endOffset > below) return false;
  return isOld(settings, last);
}

function oldestOf(allowances: readonly Allowance[]): Allowance | undefined {
  let best: Allowance | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  for (const allowance of allowances) {
    const segment = removable(allowance);
    const newestMs = segment === undefined ? Number.POSITIVE_INFINITY : (segment.newestMs ?? segment.createdMs);
    if (newestMs < bestMs) {
      best = allowance;
      bestMs = newestMs;
    }
  }
  return best;
}
