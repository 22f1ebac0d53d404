/** Longest text in a log line, in characters. */
const textMax = 2_048;
/** Deepest object and most entries of one object or list that a line shows. */
const depthMax = 4;
const entriesMax = 50;

const redacted = "[redacted]";
const secretName = /authorization|cookie|token|secret|passw|api[-_]?key|routing[-_]?key|credential|signature/i;

const urlUser = /(\w:\/\/)[^/?#\s@]*@/g;
const queryPart = /([?&;])([^=&;\s]*)=([^&;#\s"']*)/g;
const secretParameter = /token|secret|passw|key|auth|sig/i;
const pathSecret = /(\/v1\/in\/[^/?#\s]+\/)[^/?#\s"']+/g;
const schemeSecret = /\b(bearer|basic|geniekey|token)\s+[\w.~+/=-]{6,}/gi;

/** Takes credentials out of text that may be a URL or a header: user info, query and path tokens, auth schemes. */
export function redactText(text: string): string {
  return text
    .replace(urlUser, `$1${redacted}@`)
    .replace(pathSecret, `$1${redacted}`)
    .replace(queryPart, redactParameter)
    .replace(schemeSecret, `$1 ${redacted}`);
}

function redactParameter(whole: string, mark: string, name: string): string {
  return secretParameter.test(name) ? `${mark}${name}=${redacted}` : whole;
}

/** C0 and C1 control characters, terminal escapes, and the marks that reverse the direction of text. */
// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
const unprintable = /\u001b\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text that is safe in a terminal and in a log: no control characters, no credentials, a bounded length. */
export function cleanText(text: string): string {
  const bounded = text.length > textMax ? `${text.slice(0, textMax)}… (${text.length} characters)` : text;
  return redactText(bounded.replace(unprintable, " ")).toWellFormed();
}

/** The same for all fields of a line; values under a name that speaks of a secret go altogether. */
export function cleanFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return cleanObject(fields, depthMax);
}

function cleanObject(fields: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, entriesMax);
  return Object.fromEntries(
    entries.map(([name, value]) => [cleanText(name), secretName.test(name) ? redacted : cleanValue(value, depth)]),
  );
}

function cleanValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return cleanText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return "…";
  if (value instanceof Error) return cleanError(value, depth);
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (hasToJson(value)) return cleanValue(value.toJSON(), depth - 1);
  if (Array.isArray(value)) return value.slice(0, entriesMax).map((item) => cleanValue(item, depth - 1));
  return cleanObject(value, depth - 1);
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function cleanError(error: Error, depth: number): Record<string, unknown> {
  const { code, fields } = error as { code?: unknown; fields?: unknown };
  return {
    type: error.name,
    message: cleanText(error.message),
    ...(code === undefined ? {} : { code: cleanValue(code, 1) }),
    ...(fields === undefined ? {} : { fields: cleanValue(fields, depth - 1) }),
    ...(error.stack === undefined ? {} : { stack: error.stack.split("\n").slice(1, 12).map(cleanFrame) }),
    ...(error.cause === undefined ? {} : { cause: cleanValue(error.cause, depth - 1) }),
  };
}

function cleanFrame(line: string): string {
  return cleanText(line.trim());
}
