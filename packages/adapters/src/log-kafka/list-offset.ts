import type { Link } from "./link.ts";

/** What ListOffsets takes instead of a time. */
export const earliest = -2;
export const latest = -1;

/**
 * The offset of the first record appended at or after a time, -1 when all are older; or the start or the durable end.
 * A broker that has just become leader refuses to tell the end until it is sure. Rejects as `Link.call` does.
 */
export async function listOffset(
  link: Link,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  timestamp: number,
): Promise<number> {
  const topics = [{ topic, partitions: [{ partition, timestamp }] }];
  const { responses } = await link.call((broker) => broker.listOffsets({ isolationLevel: 0, topics }));
  return Number(responses[0]?.partitions[0]?.offset);
}
