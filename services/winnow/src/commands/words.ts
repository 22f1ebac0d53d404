/** `45s`, `12m`, `3h5m`, `2d4h`: the two largest units, rounded down, never negative. */
export function roughDuration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return m < 10 && s % 60 > 0 ? `${m}m${s % 60}s` : `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 24) return m % 60 > 0 ? `${h}h${m % 60}m` : `${h}h`;
  const d = Math.floor(h / 24);
  return h % 24 > 0 && d < 10 ? `${d}d${h % 24}h` : `${d}d`;
}

/** How long ago an RFC 3339 time was, for sentences: `8m30s`. */
export function ago(time: string, now: number): string {
  return roughDuration(now - Date.parse(time));
}

/** The same for tables, in the largest unit alone: `8m`; `-` for none, `in 15s` for one that is to come. */
export function age(time: string | null, now: number): string {
  if (time === null) return "-";
  const ms = now - Date.parse(time);
  const [largest = ""] = /^\d+[a-z]/.exec(roughDuration(Math.abs(ms))) ?? [];
  return ms < -999 ? `in ${largest}` : largest;
}

/** `2026-11-24 22:54:36 UTC` */
export function clockTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}

/** `1 alert`, `3 alerts` */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}

/**
 * Text that others wrote, safe to show: control characters (which could steer the terminal) and bidirectional marks
 * become visible, line breaks become spaces.
 */
export function plain(text: string): string {
  return text
    .replaceAll(/\s*[\r\n]+\s*/g, " ")
    .replaceAll("\t", " ")
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const narrow = /^[\u0020-\u02ff]*$/;
const empty = /^(?:\p{Mn}|\p{Me}|\p{Cf}|\ufe0f)$/u;

/** Columns that a text takes on a terminal. */
export function textWidth(text: string): number {
  if (narrow.test(text)) return text.length;
  let columns = 0;
  for (const sign of text) columns += empty.test(sign) ? 0 : wide.test(sign) ? 2 : 1;
  return columns;
}

/** The text in lines of so many columns, broken at spaces; a longer word stays whole. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer) > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** The text, cut to so many columns with `…` where it is longer. */
export function clip(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let kept = "";
  let used = 1;
  for (const sign of text) {
    used += textWidth(sign);
    if (used > columns) break;
    kept += sign;
  }
  return `${kept}…`;
}
