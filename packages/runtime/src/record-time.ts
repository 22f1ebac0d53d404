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
