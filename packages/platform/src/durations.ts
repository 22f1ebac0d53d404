/** A text that was understood, or why it was not, in words for the person who wrote it. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

const msPerUnit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const bytesPerUnit = {
  B: 1,
  kB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  TB: 1_000_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
} as const;

/** Longest duration that may be written: 100 years, far below the range of exact integers. */
const durationMsMax = 100 * 366 * msPerUnit.d;

/** JSON Schema patterns of the two notations, for editors. */
export const durationPattern = "^([0-9]+(ms|s|m|h|d|w))+$";
export const bytesPattern = "^[0-9]+(\\.[0-9]+)? ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$";

/**
 * Reads `30s`, `5m`, `4h`, `7d`, `250ms`, `0s` and sums such as `1h30m` into milliseconds.
 * Whole numbers only, units from large to small, each at most once, 100 years at most.
 */
export function parseDuration(text: string): Parsed<number> {
  if (!new RegExp(durationPattern).test(text)) {
    return { ok: false, message: `${quote(text)} is not a duration`, hint: durationHint(text) };
  }
  let total = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(ms|[smhdw])/g)) {
    const size = msPerUnit[unit as keyof typeof msPerUnit];
    if (size >= smallest) {
      return {
        ok: false,
        message: `${quote(text)} is not a duration`,
        hint: "order the units from large to small, each once: 1h30m",
      };
    }
    smallest = size;
    total += Number(digits) * size;
  }
  if (total > durationMsMax) {
    return { ok: false, message: `${quote(text)} is more than 100 years`, hint: null };
  }
  return { ok: true, value: total };
}

/** Writes milliseconds as the shortest exact duration: 90000 → `1m30s`, 0 → `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(rest / msPerUnit[unit]);
    rest -= count * msPerUnit[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

/** Reads `5MiB`, `20GiB`, `1.5GB`, `512B` into whole bytes. Powers of two carry the `i`. */
export function parseBytes(text: string): Parsed<number> {
  const found = new RegExp(bytesPattern).test(text) ? /^([0-9.]+) ?([A-Za-z]+)$/.exec(text) : null;
  if (found === null) {
    return { ok: false, message: `${quote(text)} is not a size`, hint: bytesHint(text) };
  }
  const bytes = Math.round(Number(found[1]) * bytesPerUnit[found[2] as keyof typeof bytesPerUnit]);
  if (!Number.isSafeInteger(bytes)) {
    return { ok: false, message: `${quote(text)} is too large a size`, hint: null };
  }
  return { ok: true, value: bytes };
}

/** Writes bytes in the largest unit of two in which they are whole: 5242880 → `5MiB`. */
export function formatBytes(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"] as const) {
    if (bytes > 0 && bytes % bytesPerUnit[unit] === 0) return `${bytes / bytesPerUnit[unit]}${unit}`;
  }
  return `${bytes}B`;
}

function durationHint(text: string): string {
  if (/^[0-9]+$/.test(text)) return `add a unit: ${text}s`;
  if (/^[0-9]+ +[a-z]+$/i.test(text)) return "write number and unit without a space: 30s";
  return "units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d";
}

function bytesHint(text: string): string {
  if (/^[0-9]+$/.test(text)) return `add a unit: ${text}B`;
  return "units are B, KiB, MiB, GiB, TiB and kB, MB, GB, TB: 5MiB";
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
