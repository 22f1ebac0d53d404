import { RE2JS, RE2JSException } from "re2js";
import { ruleLimits } from "./schema.ts";

/** A pattern that was compiled, or the reason why it was not, for the person who wrote it. */
export type CompiledPattern =
  | { readonly ok: true; readonly test: (text: string) => boolean }
  | { readonly ok: false; readonly message: string; readonly hint: string | null };

/** Compiles patterns that must match a whole value, in time linear in the value. */
export interface RegexEngine {
  compile(pattern: string): CompiledPattern;
}

/** RE2 in plain JavaScript: no back-references, no look-around, no run-away. `.` also matches line breaks. */
export const re2Engine: RegexEngine = {
  compile(pattern) {
    if (pattern.length > ruleLimits.patternLengthMax) {
      return { ok: false, message: `the pattern is longer than ${ruleLimits.patternLengthMax} characters`, hint: null };
    }
    const parsed = parse(pattern);
    if (!parsed.ok) return parsed;
    const { regex } = parsed;
    if (regex.programSize() > ruleLimits.patternSizeMax) {
      return { ok: false, message: "the pattern is too large", hint: "use smaller repeat counts, or a glob" };
    }
    const prefix = literalPrefix(pattern);
    return { ok: true, test: (text) => text.startsWith(prefix) && regex.testExact(seen(text)) };
  },
};

/** The part of a value that patterns look at. */
export function seen(text: string): string {
  return text.length > ruleLimits.patternInputMax ? text.slice(0, ruleLimits.patternInputMax) : text;
}

type ParsedPattern = { readonly ok: true; readonly regex: RE2JS } | Extract<CompiledPattern, { ok: false }>;

function parse(pattern: string): ParsedPattern {
  try {
    return { ok: true, regex: RE2JS.compile(pattern, RE2JS.DOTALL) };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const message = `not an RE2 pattern: ${error.message.replace(/^error parsing regexp: /, "")}`;
    return { ok: false, message, hint: hintFor(pattern) };
  }
}

function hintFor(pattern: string): string | null {
  if (/\(\?<?[=!]/.test(pattern)) return "look-around is not supported: use a second condition, or not";
  if (/\\[1-9]/.test(pattern)) return "back-references are not supported";
  return null;
}

/** Text that every match starts with, as far as it is plain to see; empty when in doubt. */
function literalPrefix(pattern: string): string {
  if (pattern.includes("|")) return "";
  const prefix = /^[A-Za-z0-9 _/:-]*/.exec(pattern)?.[0] ?? "";
  // A quantifier makes the character before it optional.
  return /^[?*{+]/.test(pattern.slice(prefix.length)) ? prefix.slice(0, -1) : prefix;
}
