import type { EventsRecord } from "@winnow/contracts";
import type { StoredRecord } from "@winnow/ports";

/**
 * A record's time on the partition's clock; epoch ms. All of it counts on one clock, whoever wrote the record: events
 * are as old as their receiver says when the log takes them (where one process does both: as received). What any other
 * process writes directly, ticks above all, is at most as late as the log's own time, so that a clock that runs ahead
 * fires no timer. Outputs carry the clock of the partition that decided them, which was made in the same way.
 */
export function timeOf({ value, appended_ms, age_ms }: StoredRecord): number {
  switch (value.kind) {
    case "events":
      return age_ms === undefined ? value.received_ms : appended_ms - age_ms;
    case "outputs":
      return value.at_ms;
    default:
      return Math.min(value.at_ms, appended_ms);
  }
}

/** Clocks of machines differ by less than this where time is kept; ms. */
export const inStepMs = 1_000;

/**
 * A receiver's record with its times of receipt on the log's clock, where the receiver's own differs by more than a
 * second. Windows, echoes and memories of alerts count from these; what sources say of themselves stays as it is.
 */
export function onLogTime(record: EventsRecord, timeMs: number): EventsRecord {
  const aheadMs = record.received_ms - timeMs;
  if (Math.abs(aheadMs) <= inStepMs) return record;
  const items = record.items.map((item) => ({ ...item, received_ms: item.received_ms - aheadMs }));
  return { ...record, received_ms: timeMs, items };
}
