/** Integers of this many digits and more may not survive a double: they are kept as text. */
export const exactDigits = 16;

export type JsonFault = "syntax" | "too_deep";

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault; readonly message: string };

/**
 * Parses JSON that somebody else wrote.
 *
 * Integers of 16 digits and more come back as strings, digit for digit, and so do numbers too large for a double
 * (`1e400`): identifiers keep their identity. Nesting beyond `maxDepth` is refused before anything is built.
 * `__proto__` and `constructor` are plain own properties, as JSON.parse makes them. Never throws.
 */
export function parseJsonExact(text: string, options: { readonly maxDepth: number }): JsonResult {
  const { tokens, tooDeep } = scan(text, options.maxDepth);
  if (tooDeep) {
    return { ok: false, fault: "too_deep", message: `nested deeper than ${options.maxDepth} levels` };
  }
  try {
    const value: unknown = JSON.parse(tokens === null ? text : quoteTokens(text, tokens));
    return { ok: true, value };
  } catch {
    return { ok: false, fault: "syntax", message: syntaxMessage(text) };
  }
}

interface Scan {
  /** Start and end of each number to keep as text, flat; null for none, which is the common case. */
  readonly tokens: readonly number[] | null;
  readonly tooDeep: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const NINE = 0x39;
const BEGIN_ARRAY = 0x5b;
const END_ARRAY = 0x5d;
const BEGIN_OBJECT = 0x7b;
const END_OBJECT = 0x7d;

/** One pass over the text, skipping strings. Broken JSON may confuse it; JSON.parse then refuses the text anyway. */
function scan(text: string, maxDepth: number): Scan {
  let depth = 0;
  let tokens: number[] | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at + 1);
    } else if (code === BEGIN_OBJECT || code === BEGIN_ARRAY) {
      depth += 1;
      if (depth > maxDepth) return { tokens: null, tooDeep: true };
    } else if (code === END_OBJECT || code === END_ARRAY) {
      depth -= 1;
    } else if (code <= NINE && (isDigit(code) || code === MINUS)) {
      const end = endOfNumber(text, at + 1);
      if (end - at >= shortestInexact && isInexact(text.slice(at, end))) (tokens ??= []).push(at, end);
      at = end - 1;
    }
  }
  return { tokens, tooDeep: false };
}

/** `9e999` is the shortest number that a double cannot hold. */
const shortestInexact = 5;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= NINE;
}

/** Index of the closing quote, or the end of the text. Strings are most of the text, hence the native search. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

/** True after an odd number of backslashes. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 0;
}

function endOfNumber(text: string, from: number): number {
  let at = from;
  while (at < text.length && isNumberPart(text.charCodeAt(at))) at += 1;
  return at;
}

/** Digits, sign, dot, e and E. */
function isNumberPart(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === MINUS;
}

const longInteger = /^-?[1-9][0-9]{15,}$/;
const wellFormedNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** Only well-formed numbers count, so that quoting never turns broken JSON into good JSON. */
function isInexact(token: string): boolean {
  if (longInteger.test(token)) return true;
  return wellFormedNumber.test(token) && !Number.isFinite(Number(token));
}

function quoteTokens(text: string, tokens: readonly number[]): string {
  const parts: string[] = [];
  let from = 0;
  for (let n = 0; n < tokens.length; n += 2) {
    const start = tokens[n] ?? 0;
    const end = tokens[n + 1] ?? 0;
    if (isKey(text, end)) continue;
    parts.push(text.slice(from, start), '"', text.slice(start, end), '"');
    from = end;
  }
  parts.push(text.slice(from));
  return parts.join("");
}

/** A number before a colon is broken JSON and must stay so. */
function isKey(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at += 1;
  return text.charCodeAt(at) === 0x3a;
}

/** V8's own sentence quotes the text, which may hold secrets: say the place alone. */
function syntaxMessage(text: string): string {
  if (text.trim() === "") return "the text is empty";
  try {
    JSON.parse(text);
  } catch (error) {
    const position = error instanceof SyntaxError ? /position (\d+)/.exec(error.message)?.[1] : undefined;
    if (position !== undefined) return `not valid JSON at character ${position}`;
  }
  return "not valid JSON: it ends too early or holds something else";
}
