/** Said where a text was cut: nothing is shortened silently. */
const truncated = "… (truncated, see link)";

// Control characters other than tab and line feed, and the marks that reorder text on screen.
const unprintable = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Storable plain text: well-formed Unicode, `\n` line ends, nothing invisible that could mislead a reader. */
export function plain(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .replace(unprintable, (mark) => (mark === "\n" || mark === "\t" ? mark : ""));
}

/** The same on one line. */
export function oneLine(text: string): string {
  return plain(text).replace(/\s+/g, " ").trim();
}

/** Length in code points, as databases count characters. */
export function lengthOf(text: string): number {
  let length = 0;
  for (const _point of text) {
    length += 1;
  }
  return length;
}

/**
 * At most `max` code points. A text that is too long is cut between graphemes (never inside an emoji or before an
 * accent) and ends with `mark`.
 */
export function clip(text: string, max: number, mark: string = truncated): string {
  if (text.length <= max || lengthOf(text) <= max) {
    return text;
  }
  const room = max - lengthOf(mark);
  let kept = "";
  let used = 0;
  // A grapheme rarely has more than 16 code units; reading a bounded head keeps the cost bounded too.
  for (const { segment } of new Intl.Segmenter("en").segment(text.slice(0, (room + 1) * 16))) {
    used += lengthOf(segment);
    if (used > room) {
      break;
    }
    kept += segment;
  }
  return kept.trimEnd() + mark;
}

/** `2026-11-24 10:00:00 UTC`. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** How long something took, as people say it: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function lasted(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) {
    return `${seconds} s`;
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  return minutes < 24 * 60
    ? pair(`${Math.floor(minutes / 60)} h`, `${minutes % 60} min`)
    : pair(`${Math.floor(minutes / 1440)} d`, `${Math.floor((minutes % 1440) / 60)} h`);
}

function pair(large: string, small: string): string {
  return small.startsWith("0 ") ? large : `${large} ${small}`;
}
