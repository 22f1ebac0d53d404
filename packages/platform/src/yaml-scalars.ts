import { isIP } from "node:net";
import { resolve } from "node:path";
import ipaddr from "ipaddr.js";
import { formatBytes, formatDuration, type Parsed, parseBytes, parseDuration } from "./durations.ts";
import type { Environment } from "./secrets.ts";
import { nearest } from "./yaml-problems.ts";
import type { HostPort, YamlKind, YamlWords } from "./yaml-schema.ts";

/** The parts of a schema that the checker reads. */
export interface SchemaView extends YamlWords {
  readonly type?: string | readonly string[];
  readonly const?: string | number | boolean;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaView[];
  readonly properties?: Readonly<Record<string, SchemaView>>;
  readonly patternProperties?: Readonly<Record<string, SchemaView>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaView;
  readonly items?: SchemaView;
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
}

/** A scalar as the file has it, variables filled in. */
export interface ScalarText {
  /** As YAML's core schema reads it. */
  readonly value: unknown;
  /** As it is written, without quotes, variables filled in. */
  readonly text: string;
  /** As it is written, where variables were filled in: errors show this, never what a variable holds. */
  readonly written?: string;
}

export type ScalarCheck =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: "wrong_type" | "bad_value" | "inline_secret";
      readonly message: string;
      readonly hint: string | null;
    };

const ok = <Value>(value: Value): { readonly ok: true; readonly value: Value } => ({ ok: true, value });
const no = (message: string, hint: string | null = null) => ({ ok: false, code: "bad_value", message, hint }) as const;
const wrongType = (schema: SchemaView, scalar: ScalarText, hint: string | null = null) =>
  ({
    ok: false,
    code: "wrong_type",
    message: `expected ${describe(schema)}, found ${shown(scalar)}`,
    hint,
  }) as const;

/** Says what a schema wants, for people. */
export function describe(schema: SchemaView): string {
  if (schema["x-kind"] !== undefined) return kindWords[schema["x-kind"]];
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return `one of ${schema.enum.join(", ")}`;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(describe))].join(" or ");
  switch (schema.type) {
    case "object":
      return "a mapping";
    case "array":
      return "a list";
    case "string":
      return "text";
    case "integer":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "null":
      return "nothing";
    default:
      return "a value";
  }
}

const kindWords: Readonly<Record<YamlKind, string>> = {
  duration: "a duration such as 30s",
  bytes: "a size such as 5MiB",
  address: "HOST:PORT",
  cidr: "a network such as 10.0.0.0/8",
  url: "an http or https URL",
  path: "a path",
  time_zone: "a time zone such as Europe/Berlin",
  text: "text",
  secret: "{env: NAME} or {file: PATH}",
};

/** Checks a scalar against a schema that wants one. */
export function checkScalar(scalar: ScalarText, schema: SchemaView, baseDir: string): ScalarCheck {
  const checked = schema["x-kind"] === undefined ? checkPlain(scalar, schema) : checkKind(scalar, schema, baseDir);
  if (checked.ok || scalar.written === undefined) return checked;
  const message = `${quoted(scalar.written)} does not hold ${describe(schema)}`;
  return { ok: false, code: checked.code, message, hint: "look at the environment variable's value" };
}

function checkPlain(scalar: ScalarText, schema: SchemaView): ScalarCheck {
  if (schema.const !== undefined) return scalar.value === schema.const ? ok(schema.const) : wrongType(schema, scalar);
  if (schema.enum !== undefined) return checkEnum(scalar, schema.enum);
  switch (schema.type) {
    case "string":
      return checkString(scalar, schema);
    case "integer":
    case "number":
      return checkNumber(scalar, schema);
    case "boolean":
      return typeof scalar.value === "boolean" ? ok(scalar.value) : wrongType(schema, scalar, yesNoHint(scalar.text));
    case "null":
      return scalar.value === null ? ok(null) : wrongType(schema, scalar);
    case "object":
    case "array":
      return wrongType(schema, scalar);
    default:
      return ok(scalar.value);
  }
}

function checkEnum(scalar: ScalarText, words: readonly unknown[]): ScalarCheck {
  if (words.includes(scalar.value)) return ok(scalar.value);
  const names = words.map(String);
  const near = nearest(scalar.text, names);
  const hint = near === null ? null : `did you mean "${near}"?`;
  return no(`expected one of ${names.join(", ")}, found ${shown(scalar)}`, hint);
}

function checkString(scalar: ScalarText, schema: SchemaView): ScalarCheck {
  const value = scalar.written === undefined ? scalar.value : scalar.text;
  if (typeof value === "number" || typeof value === "boolean") {
    return wrongType(schema, scalar, `put it in quotes: "${scalar.text}"`);
  }
  if (typeof value !== "string") return wrongType(schema, scalar);
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minLength) return no(value === "" ? "an empty text" : `shorter than ${minLength} characters`);
  if (value.length > maxLength) return no(`${value.length} characters long; at most ${maxLength} are allowed`);
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, "u").test(value)) {
    return no(`${shown(scalar)} is not allowed here`, schema["x-pattern-says"] ?? `it must match ${schema.pattern}`);
  }
  return ok(value);
}

function checkNumber(scalar: ScalarText, schema: SchemaView): ScalarCheck {
  const { value } = scalar;
  if (typeof value !== "number" || !Number.isFinite(value)) return wrongType(schema, scalar);
  if (schema.type === "integer" && !Number.isSafeInteger(value)) return wrongType(schema, scalar);
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  if (value < minimum) return no(`${value} is less than ${minimum}`);
  if (value > maximum) return no(`${value} is more than ${maximum}`);
  return ok(value);
}

function checkKind(scalar: ScalarText, schema: SchemaView, baseDir: string): ScalarCheck {
  if (scalar.value === null) return wrongType(schema, scalar);
  const parsed = parseKind(scalar, schema, baseDir);
  return parsed.ok || "code" in parsed ? parsed : no(parsed.message, parsed.hint);
}

function parseKind(scalar: ScalarText, schema: SchemaView, baseDir: string): Parsed<unknown> | ScalarCheck {
  const kind = schema["x-kind"];
  switch (kind) {
    case "duration":
      return bounded(parseDuration(scalar.text), schema, formatDuration);
    case "bytes":
      return bounded(parseBytes(scalar.text), schema, formatBytes);
    case "address":
      return parseHostPort(scalar.text);
    case "cidr":
      return checkCidr(scalar.text);
    case "url":
      return checkUrl(scalar.text);
    case "time_zone":
      return checkTimeZone(scalar.text);
    case "path":
      return scalar.text === "" ? no("an empty path") : ok(resolve(baseDir, scalar.text));
    default:
      return ok(scalar.text);
  }
}

function bounded(parsed: Parsed<number>, schema: SchemaView, format: (value: number) => string): Parsed<number> {
  if (!parsed.ok) return parsed;
  const { "x-min": min = 0, "x-max": max = Number.POSITIVE_INFINITY } = schema;
  if (parsed.value < min) return no(`${format(parsed.value)} is less than ${format(min)}`);
  if (parsed.value > max) return no(`${format(parsed.value)} is more than ${format(max)}`);
  return parsed;
}

/** Reads `127.0.0.1:8080`, `[::1]:0`, `localhost:80`. Port 0 lets the system pick a free one. */
export function parseHostPort(text: string): Parsed<HostPort> {
  const found = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):([0-9]{1,5})$/.exec(text);
  if (found === null) {
    return no(
      `${quoted(text)} is not HOST:PORT`,
      /^[0-9]+$/.test(text) ? `write 127.0.0.1:${text}` : "such as 127.0.0.1:8080 or [::1]:8080",
    );
  }
  const port = Number(found[3]);
  if (port > 65_535) return no(`${port} is no port`, "ports go up to 65535");
  if (found[1] !== undefined && isIP(found[1]) !== 6) return no(`${quoted(found[1])} is not an IPv6 address`);
  return ok({ host: found[1] ?? found[2] ?? "", port });
}

function checkCidr(text: string): Parsed<string> {
  if (ipaddr.isValidCIDR(text) || (isIP(text) !== 0 && ipaddr.isValid(text))) return ok(text);
  return no(`${quoted(text)} is not a network`, "such as 10.0.0.0/8, 192.168.1.5/32 or fd00::/8");
}

function checkUrl(text: string): ScalarCheck {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return no("not an http or https URL", "such as https://example.service-now.com");
  }
  if (url.username !== "" || url.password !== "") {
    const hint = "put them under auth, as { env: NAME }";
    return { ok: false, code: "inline_secret", message: "the URL holds credentials", hint };
  }
  return ok(text);
}

function checkTimeZone(text: string): Parsed<string> {
  try {
    // Throws for a zone that does not exist.
    Intl.DateTimeFormat("en", { timeZone: text });
    return ok(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return no(`${quoted(text)} is not a time zone`, "an IANA name such as Europe/Berlin, or UTC");
  }
}

/** A value in an error's words, short. */
export function shown(scalar: ScalarText): string {
  if (scalar.written !== undefined) return quoted(scalar.written);
  if (scalar.value === null) return "nothing";
  if (typeof scalar.value === "number") return `the number ${clip(scalar.text)}`;
  if (typeof scalar.value === "boolean") return scalar.text;
  return quoted(scalar.text);
}

function quoted(text: string): string {
  return JSON.stringify(clip(text));
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function yesNoHint(text: string): string | null {
  if (/^(yes|on|y)$/i.test(text)) return "write true";
  if (/^(no|off|n)$/i.test(text)) return "write false";
  return null;
}

const variable = /\$\$\{|\$\{([^}]*)\}/g;

/**
 * Fills `${NAME}` from the environment; `$${` stands for a literal `${`.
 * The inserted text is never looked at again.
 */
export function interpolate(text: string, env: Environment): Parsed<string> {
  let problem: ReturnType<typeof no> | null = null;
  const filled = text.replace(variable, (whole, name: string | undefined) => {
    if (name === undefined) return "${";
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      problem ??= no(`${quoted(whole)} names no environment variable`, "write $${ for a literal ${");
      return "";
    }
    const value = env[name];
    if (value === undefined)
      problem ??= no(`the environment variable ${name} is not set`, `set ${name}, or write the value here`);
    return value ?? "";
  });
  return problem ?? ok(filled);
}
