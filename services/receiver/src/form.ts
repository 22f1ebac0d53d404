export type FormFields = ReadonlyMap<string, readonly string[]>;

/** Fields of a urlencoded text; null when there are more than `fieldsMax`. */
export function parseUrlEncoded(text: string, fieldsMax: number): FormFields | null {
  return collect(new URLSearchParams(text), fieldsMax);
}

/** Longest boundary that RFC 2046 allows, characters. */
const boundaryMax = 70;
const endOfHeaders = "\r\n\r\n";
/** Headers of one part, characters. */
const partHeadersMax = 4_096;

/**
 * Fields of a multipart body (RFC 7578), files as their text; null when it is broken or has more than `fieldsMax`.
 * The body is in memory and bounded already, so it is read in one piece.
 */
export function parseMultipart(bytes: Buffer, contentType: string, fieldsMax: number): FormFields | null {
  const boundary = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined || mark.length > boundaryMax) return null;
  // Latin-1 keeps each byte as one character; a delimiter stands at the beginning of a line.
  const [before, ...parts] = `\r\n${bytes.toString("latin1")}`.split(`\r\n--${mark}`);
  if (before === undefined || parts.length < 2 || !(parts.pop() ?? "").startsWith("--")) return null;
  if (parts.length > fieldsMax) return null;
  const entries: [string, string][] = [];
  for (const part of parts) {
    const entry = parsePart(part);
    if (entry === null) return null;
    entries.push(entry);
  }
  return collect(entries, fieldsMax);
}

function parsePart(part: string): [string, string] | null {
  const end = part.indexOf(endOfHeaders);
  if (end === -1 || end > partHeadersMax) return null;
  const name = /^content-disposition:[^\r\n]*;\s*name="((?:[^"\\\r\n]|\\.)*)"/im.exec(part.slice(0, end))?.[1];
  if (name === undefined) return null;
  return [utf8(name.replaceAll(/\\(.)/g, "$1")), utf8(part.slice(end + endOfHeaders.length))];
}

function utf8(latin: string): string {
  return Buffer.from(latin, "latin1").toString("utf8");
}

function collect(entries: Iterable<[string, string]>, fieldsMax: number): FormFields | null {
  const fields = new Map<string, string[]>();
  let count = 0;
  for (const [name, value] of entries) {
    count += 1;
    if (count > fieldsMax) return null;
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [value]);
    else values.push(value);
  }
  return fields;
}
