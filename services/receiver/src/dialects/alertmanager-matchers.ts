import { re2Engine } from "@winnow/rules";

/** One matcher of Alertmanager's filter language, such as `severity=~"critical|error"`. */
export interface Matcher {
  readonly name: string;
  readonly matches: (value: string) => boolean;
}

export type ParsedMatcher =
  | { readonly ok: true; readonly matcher: Matcher }
  | { readonly ok: false; readonly message: string };

/** Longest matcher, characters. */
const matcherMax = 4_096;
const shape = /^([A-Za-z_:][\w:]*|"(?:[^"\\]|\\.)*")\s*(=~|!~|!=|=)(.*)$/s;

/** Reads `name OP value`; name and value may stand in quotes. Regular expressions are RE2 and match the whole value. */
export function parseMatcher(text: string): ParsedMatcher {
  const { name, operator, value } = split(text);
  if (name === null || name === "" || value === null) {
    return { ok: false, message: `bad matcher format: ${text.slice(0, 100)}` };
  }
  if (operator === "=") return found(name, (label) => label === value);
  if (operator === "!=") return found(name, (label) => label !== value);
  const pattern = re2Engine.compile(value);
  if (!pattern.ok) return { ok: false, message: `bad matcher format: ${pattern.message}` };
  return found(name, operator === "=~" ? pattern.test : (label) => !pattern.test(label));
}

function split(text: string): { name: string | null; operator: string; value: string | null } {
  const parts = text.length > matcherMax ? null : shape.exec(text.trim());
  if (parts === null) return { name: null, operator: "", value: null };
  const [, name = "", operator = "", value = ""] = parts;
  return { name: unquote(name), operator, value: unquote(value.trim()) };
}

function found(name: string, matches: (value: string) => boolean): ParsedMatcher {
  return { ok: true, matcher: { name, matches } };
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** The text inside double quotes; text without quotes as it is; null when quotes are broken. */
function unquote(text: string): string | null {
  if (!text.startsWith('"')) return text.includes('"') ? null : text;
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(text)) return null;
  return text.slice(1, -1).replaceAll(/\\(.)/gs, (_whole, character: string) => escapes[character] ?? character);
}

/** True when every matcher fits; a label that is not there is an empty one. */
export function matchesAll(labels: Readonly<Record<string, string>>, matchers: readonly Matcher[]): boolean {
  return matchers.every(({ name, matches }) => matches(Object.hasOwn(labels, name) ? (labels[name] ?? "") : ""));
}
