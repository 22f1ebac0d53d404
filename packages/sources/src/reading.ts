import type { AlertLink } from "@winnow/contracts";

/** An object of a body, whose fields may be anything. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own field: bodies may hold `__proto__` or `constructor`. */
export function ownField(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** Text, a finite number or a boolean as text; undefined for everything else and for blank text. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value.trim() === "" ? undefined : value;
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
  return typeof value === "boolean" ? String(value) : undefined;
}

/** The first of the names under which a map holds a text. */
export function firstText(fields: Fields, names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = textOf(ownField(fields, name));
    if (text !== undefined) return text;
  }
  return undefined;
}

/** The first value of the first of the names that a label set has. */
export function firstLabel(
  labels: Readonly<Record<string, readonly string[]>>,
  names: readonly string[],
): string | undefined {
  for (const name of names) {
    const value = Object.hasOwn(labels, name) ? labels[name]?.[0] : undefined;
    if (value !== undefined && value.trim() !== "") return value;
  }
  return undefined;
}

/** Labels built one by one. Empty values are left out, repeated ones kept once. */
export class LabelSet {
  readonly #values = new Map<string, string[]>();

  add(name: string, value: string): void {
    if (value === "") return;
    const known = this.#values.get(name);
    if (known === undefined) this.#values.set(name, [value]);
    else if (!known.includes(value)) known.push(value);
  }

  /** As fields of their own, so that `__proto__` is a name like any other. */
  record(): Record<string, string[]> {
    return Object.fromEntries(this.#values);
  }
}

/** A link when the address is http or https, otherwise nothing: what the sender wrote is shown to people to click on. */
export function httpLink(href: string | undefined, rel: AlertLink["rel"], text?: string): AlertLink[] {
  if (href === undefined) return [];
  const address = href.trim();
  if (!/^https?:\/\/[^\s/]/i.test(address)) return [];
  return [text === undefined ? { href: address, rel } : { href: address, rel, text }];
}

/** A number written as a decimal text, or undefined. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Splits a comma list, dropping blanks around and between. */
export function commaList(text: string | undefined): string[] {
  if (text === undefined) return [];
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/**
 * The same text, in memory a text of its own. A part of another text is a view of it, and one of those in an event makes
 * JSON.stringify take a quarter longer for the whole event.
 */
export function ownText(text: string): string {
  const middle = text.length >> 1;
  return [text.slice(0, middle), text.slice(middle)].join("");
}

/**
 * Names an alert for people: `InstanceDown{instance="web-01", job="node"}`. It takes whole parts only, so that the text
 * stays within `max` units without a cut inside a value. Joined, not added up: sums of texts are slow to write as JSON.
 */
export function readableKey(name: string, parts: readonly { k: string; v: string }[], max = 255): string {
  const inside: string[] = [];
  let length = 0;
  for (const { k, v } of parts) {
    const before = inside.length === 0 ? "" : ", ";
    const partLength = before.length + k.length + v.length + 3;
    const isPast = name.length + length + partLength + 5 > max;
    if (isPast) inside.push(before, "…");
    else inside.push(before, k, '="', v, '"');
    length += isPast ? before.length + 1 : partLength;
    if (isPast) break;
  }
  if (inside.length === 0) return name.slice(0, max);
  return [name.slice(0, max - length - 2), "{", ...inside, "}"].join("");
}

/** The same object without the fields that are undefined. */
export function defined<Shape extends object>(fields: { [Name in keyof Shape]: Shape[Name] | undefined }): Shape {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Shape;
}
