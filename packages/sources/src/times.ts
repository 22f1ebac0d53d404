/** Before it there was no monitoring tool; senders write such times (year 1, the epoch) for "not set". */
const earliestMs = Date.UTC(1990, 0, 1);
/** Above it a time means "never". */
const latestMs = Date.UTC(2200, 0, 1);

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)$/;

/** Epoch ms; `unset` for the many ways to write that there is no time; `bad` for what cannot be read. */
export type ReadTime = number | "unset" | "bad";

/** RFC 3339 with a zone and any number of fraction digits. */
export function readRfc3339(value: unknown): ReadTime {
  if (value === undefined || value === null || value === "") return "unset";
  if (typeof value !== "string" || !rfc3339.test(value)) return "bad";
  return plausible(Date.parse(value));
}

/** The same as Date's `toISOString` for the times that are read here, at a sixth of its cost. */
export function isoText(ms: number): string {
  const day = Math.floor(ms / dayMs);
  const rest = ms - day * dayMs;
  const { year, month, date } = civilDate(day);
  const second = Math.floor(rest / 1_000);
  const calendar = [String(year), twoDigits(month), twoDigits(date)].join("-");
  const clock = [
    twoDigits(Math.floor(second / 3_600)),
    twoDigits(Math.floor(second / 60) % 60),
    twoDigits(second % 60),
  ];
  return [calendar, "T", clock.join(":"), ".", String(rest % 1_000).padStart(3, "0"), "Z"].join("");
}

const dayMs = 24 * 3_600_000;

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** Days since 1970 as a date of the Gregorian calendar, in years that begin in March (Howard Hinnant, days algorithms). */
function civilDate(days: number): { year: number; month: number; date: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const date = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, date };
}

/** Epoch seconds or milliseconds, as a number or as decimal text. */
export function readEpoch(value: unknown, unit: "s" | "ms"): ReadTime {
  if (value === undefined || value === null || value === "" || value === "0" || value === 0) return "unset";
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !/^\s*\d{1,15}(?:\.\d+)?\s*$/.test(text)) return "bad";
  return plausible(Math.round(Number(text) * (unit === "s" ? 1000 : 1)));
}

function plausible(ms: number): ReadTime {
  if (!Number.isFinite(ms)) return "bad";
  return ms < earliestMs || ms > latestMs ? "unset" : ms;
}

/** Wall time without a zone: `2026.11.20` or `2026-11-20` and `11:00:00`, as epoch ms as if it were UTC. */
export function readWallTime(date: string | undefined, time: string | undefined): ReadTime {
  if (date === undefined || time === undefined) return "unset";
  const day = /^(\d{4})[.-](\d\d)[.-](\d\d)$/.exec(date.trim());
  const clock = /^(\d\d):(\d\d):(\d\d)$/.exec(time.trim());
  if (day === null || clock === null) return "bad";
  const parsed = Date.parse(`${day[1]}-${day[2]}-${day[3]}T${clock[0]}Z`);
  return plausible(parsed);
}

/**
 * How far a zone is ahead of UTC at a wall time, in ms. `zone` is `+02:00`, `UTC` or an IANA name.
 * Returns undefined for a name that this platform does not know.
 */
export function zoneOffsetMs(zone: string, wallMs: number): number | undefined {
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (fixed !== null) return (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  // A second look with the first answer: near a change of the offset the wall time read as UTC lies on the wrong side.
  const first = ianaOffsetMs(zone, wallMs);
  return first === undefined ? undefined : ianaOffsetMs(zone, wallMs - first);
}

function ianaOffsetMs(zone: string, atMs: number): number | undefined {
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    const name = format.formatToParts(atMs).find((part) => part.type === "timeZoneName")?.value ?? "";
    if (name === "GMT") return 0;
    return zoneOffsetMs(name.replace("GMT", ""), atMs);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The offset between a wall clock and the true time of the same moment, to the quarter of an hour that zones use. */
export function offsetBetween(wallMs: number, trueMs: number): number {
  const quarter = 15 * 60_000;
  return Math.round((wallMs - trueMs) / quarter) * quarter;
}
