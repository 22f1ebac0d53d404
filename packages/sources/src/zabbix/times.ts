import type { TimeQuality } from "@winnow/contracts";
import type { Report } from "../report.ts";
import { offsetBetween, readEpoch, readWallTime, zoneOffsetMs } from "../times.ts";
import type { ZabbixFields } from "./fields.ts";

export interface ZabbixTime {
  readonly ms: number | undefined;
  readonly quality: TimeQuality;
}

const wallFields = {
  event: ["event_date", "event_time", "event_timestamp"],
  event_recovery: ["event_recovery_date", "event_recovery_time", "event_recovery_timestamp"],
  event_update: ["event_update_date", "event_update_time", "event_update_timestamp"],
} as const;
/** Which of an event's times. */
export type ZabbixMoment = keyof typeof wallFields;

/**
 * One of the times of an event. Zabbix writes local time without a zone. The message's own `{DATE} {TIME}` beside the
 * epoch time at which the script ran shows how far the server's zone is from UTC; an event on the other side of a
 * change to summer time is an hour off then. Newer versions have epoch macros, and those are exact.
 */
export function readZabbixTime(
  which: ZabbixMoment,
  fields: ZabbixFields,
  zone: string | undefined,
  report: Report,
): ZabbixTime {
  const [dateField, timeField, stampField] = wallFields[which];
  const stamp = readEpoch(fields.get(stampField), "s");
  if (typeof stamp === "number") return { ms: stamp, quality: "exact" };
  const wall = readWallTime(fields.get(dateField), fields.get(timeField));
  if (wall === "bad" || stamp === "bad") report.warn("bad_time", dateField);
  if (typeof wall !== "number") return { ms: undefined, quality: "received" };
  const shift = derivedOffset(fields);
  if (shift !== undefined) return { ms: wall - shift, quality: "offset_derived" };
  const assumed = zone === undefined ? undefined : zoneOffsetMs(zone, wall);
  return assumed === undefined
    ? { ms: undefined, quality: "received" }
    : { ms: wall - assumed, quality: "assumed_zone" };
}

function derivedOffset(fields: ZabbixFields): number | undefined {
  const now = readWallTime(fields.get("now_date"), fields.get("now_time"));
  const sent = readEpoch(fields.get("sent_at"), "s");
  return typeof now === "number" && typeof sent === "number" ? offsetBetween(now, sent) : undefined;
}
