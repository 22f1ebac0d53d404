import type { EventsRecord } from "@winnow/contracts";
import { alertPartitionKey, partitionOf } from "@winnow/core";

export type Item = EventsRecord["items"][number];

/** Items of one log record, in order. */
export type Chunk = readonly Item[];

export function partitionOfItem(item: Item, partitions: number): number {
  return "fingerprint" in item
    ? partitionOf(alertPartitionKey(item.tenant, item.fingerprint), partitions)
    : partitionOf(item.id, partitions);
}

/** Items by partition, each list in the order of the delivery; partitions without items are absent. */
export function groupByPartition(items: readonly Item[], partitions: number): ReadonlyMap<number, Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const partition = partitionOfItem(item, partitions);
    const group = groups.get(partition);
    if (group === undefined) groups.set(partition, [item]);
    else group.push(item);
  }
  return groups;
}

/** Room for a record's own fields beside its items, bytes. */
const recordFieldsBytes = 1_024;

/**
 * How many times the bytes of a delivery one of its events may have at most, as JSON: each text stands in several
 * fields, and escapes take up to six bytes for one.
 */
const growthMax = 8;

/** True when no event of such a delivery can come near `recordBytes`, so that nothing needs to be measured. */
export function isSurelySmall(items: number, bodyBytes: number, recordBytes: number): boolean {
  return items * (bodyBytes * growthMax + recordFieldsBytes) <= recordBytes;
}

/** JSON size of an item, bytes. */
export function itemBytes(item: Item): number {
  return Buffer.byteLength(JSON.stringify(item));
}

/** Items in records of at most `recordBytes`; each item alone must fit. */
export function chunkItems(items: readonly Item[], recordBytes: number): Chunk[] {
  const chunks: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const bytes = itemBytes(item) + 1;
    const last = chunks.at(-1);
    if (last === undefined || bytes > room) {
      chunks.push([item]);
      room = recordBytes - recordFieldsBytes - bytes;
    } else {
      last.push(item);
      room -= bytes;
    }
  }
  return chunks;
}

/** Largest item that a record can take, bytes. */
export function itemBytesMax(recordBytes: number): number {
  return recordBytes - recordFieldsBytes;
}
