import type { Topic } from "@winnow/contracts";
import type { EventLog, PartitionBounds } from "@winnow/ports";

/** Where a partition begins and ends, without counting its events where that costs something. */
export async function boundsOf(log: EventLog, topic: Topic, partition: number): Promise<PartitionBounds> {
  return log.bounds === undefined ? log.status(topic, partition) : log.bounds(topic, partition);
}
