import type { EventsRecord } from "@winnow/contracts";
import { alertPartitionKey, partitionOf } from "@winnow/core";

export type Item = EventsRecord["items"][number];

/** Items of one log record, in order, and the JSON of their list, which is written once. */
export interface Chunk {
  readonly items: readonly Item[];
  readonly text: string;
}

function partitionOfItem(item: Item, partitions: number): number {
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
export function isSurelySmall(bodyBytes: number, recordBytes: number): boolean {
  return bodyBytes * growthMax + recordFieldsBytes <= recordBytes;
}

/** JSON size of an item, bytes. */
export function itemBytes(item: Item): number {
  return Buffer.byteLength(JSON.stringify(item));
}

/** JSON takes at most six bytes for a character (a control character, escaped), and this much for a number or word. */
const bytesPerUnitMax = 6;
const wordBytesMax = 25;
/** Quotes, colon and comma around a text. */
const framingBytes = 4;

/** An upper bound of `itemBytes` that is several times cheaper to get. */
export function itemBytesBound(item: Item): number {
  return valueBound(item) + framingBytes;
}

function valueBound(value: unknown): number {
  if (typeof value === "string") return value.length * bytesPerUnitMax + framingBytes;
  if (typeof value !== "object" || value === null) return wordBytesMax;
  let bound = framingBytes;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) bound += valueBound(item);
    return bound;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name in fields) bound += name.length * bytesPerUnitMax + framingBytes + valueBound(fields[name]);
  return bound;
}

/** Items in records of at most `recordBytes`; each item alone must fit. */
export function chunkItems(items: readonly Item[], recordBytes: number): Chunk[] {
  const whole = chunkOf(items);
  // A code unit takes at most three bytes, so that most lists need not be measured.
  const room = itemBytesMax(recordBytes);
  const fits = whole.text.length * 3 <= room || Buffer.byteLength(whole.text) <= room;
  return fits ? [whole] : cut(items, recordBytes).map(chunkOf);
}

function chunkOf(items: readonly Item[]): Chunk {
  return { items, text: JSON.stringify(items) };
}

function cut(items: readonly Item[], recordBytes: number): Item[][] {
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

/** True when the item alone fits a record. */
export function fitsRecord(item: Item, recordBytes: number): boolean {
  const room = itemBytesMax(recordBytes);
  return itemBytesBound(item) <= room || itemBytes(item) < room;
}

function itemBytesMax(recordBytes: number): number {
  return recordBytes - recordFieldsBytes;
}
