import { type TSchema, type TSchemaOptions, Type } from "typebox";
import { bytesPattern, durationPattern } from "./durations.ts";
import type { Secret } from "./secrets.ts";

/**
 * Kinds of values that are text in YAML and something else in the program.
 * `duration` ms, `bytes` a number, `address` host and port, `cidr` and `url` checked text, `path` an absolute path,
 * `time_zone` an IANA zone, `text` any scalar as it is written, `secret` a Secret.
 */
export const yamlKinds = [
  "duration",
  "bytes",
  "address",
  "cidr",
  "url",
  "path",
  "time_zone",
  "text",
  "secret",
] as const;
export type YamlKind = (typeof yamlKinds)[number];

/** Our own schema words. They steer the checker and are taken out of the published JSON Schema. */
export interface YamlWords {
  readonly "x-kind"?: YamlKind;
  /** A union of mappings is told apart by this property. */
  readonly "x-choose-by"?: string;
  /** False below this point: `${NAME}` is plain text there. */
  readonly "x-interpolate"?: boolean;
  /** Says in words what `pattern` wants. */
  readonly "x-pattern-says"?: string;
  /** Bounds of durations (ms) and sizes (bytes). */
  readonly "x-min"?: number;
  readonly "x-max"?: number;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Options of a value kind: `default` is written as in YAML; `min` and `max` are in ms or bytes. */
export interface KindOptions {
  readonly description?: string;
  readonly default?: string;
  readonly min?: number;
  readonly max?: number;
}

/** Editors must let `${NAME}` pass where a value may hold it. */
const orVariable = "|\\$\\{[A-Za-z_]";

/** A duration such as `30s`; milliseconds in the program. */
export function duration(options: KindOptions = {}) {
  return Type.Unsafe<number>({
    type: "string",
    pattern: durationPattern + orVariable,
    "x-kind": "duration",
    ...words(options),
  });
}

/** A size such as `5MiB`; bytes in the program. */
export function byteSize(options: KindOptions = {}) {
  return Type.Unsafe<number>({
    type: "string",
    pattern: bytesPattern + orVariable,
    "x-kind": "bytes",
    ...words(options),
  });
}

/** `HOST:PORT`, IPv6 in brackets. */
export function address(options: KindOptions = {}) {
  return Type.Unsafe<HostPort>({
    type: "string",
    pattern: `^.+:[0-9]{1,5}$${orVariable}`,
    "x-kind": "address",
    ...words(options),
  });
}

/** A network such as `10.0.0.0/8` or a single address. */
export function cidr(options: KindOptions = {}) {
  return Type.Unsafe<string>({ type: "string", "x-kind": "cidr", ...words(options) });
}

/** An `http:` or `https:` URL without credentials. */
export function httpUrl(options: KindOptions = {}) {
  return Type.Unsafe<string>({
    type: "string",
    pattern: `^https?://${orVariable}`,
    "x-kind": "url",
    ...words(options),
  });
}

/** A path; relative ones start at the configuration file's folder. */
export function filePath(options: KindOptions = {}) {
  return Type.Unsafe<string>({ type: "string", minLength: 1, "x-kind": "path", ...words(options) });
}

/** An IANA time zone such as `Europe/Berlin`. */
export function timeZone(options: KindOptions = {}) {
  return Type.Unsafe<string>({ type: "string", "x-kind": "time_zone", ...words(options) });
}

/** Any scalar, taken as it is written: `404` and `true` are texts here. */
export function scalarText(options: { readonly description?: string } = {}) {
  return Type.Unsafe<string>({ type: ["string", "number", "boolean"], "x-kind": "text", ...words(options) });
}

/** `{env: NAME}` or `{file: PATH}`; never inline. */
export function secret(options: { readonly description?: string } = {}) {
  const origin = (name: string, description: string) => ({
    type: "object",
    required: [name],
    properties: { [name]: { type: "string", minLength: 1, description } },
    additionalProperties: false,
  });
  return Type.Unsafe<Secret>({
    "x-kind": "secret",
    anyOf: [
      origin("env", "Name of the environment variable that holds it"),
      origin("file", "File that holds it; one line break at its end does not count"),
    ],
    ...words(options),
  });
}

/** One secret, or a list of two while it is being changed over. */
export function secrets(options: { readonly description?: string } = {}) {
  return Type.Unsafe<Secret | readonly Secret[]>({
    anyOf: [secret(), { type: "array", items: secret(), minItems: 1, maxItems: 2 }],
    ...words(options),
  });
}

/** The name of something in the configuration, as a key or a reference. */
export const namePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";
export const nameSays = "letters, digits, dot, - and _, at most 63, starting with a letter or digit";

/** A mapping from names to values. */
export function named<Schema extends TSchema>(values: Schema, options: TSchemaOptions = {}) {
  return Type.Unsafe<Readonly<Record<string, Type.Static<Schema>>>>({
    type: "object",
    patternProperties: { [namePattern]: values },
    additionalProperties: false,
    "x-pattern-says": nameSays,
    ...options,
  });
}

function words(options: KindOptions): Record<string, unknown> {
  const { min, max, ...rest } = options;
  return { ...rest, ...(min === undefined ? {} : { "x-min": min }), ...(max === undefined ? {} : { "x-max": max }) };
}

/**
 * The JSON Schema for editors: our own words taken out, and keys with a default no longer required.
 * Object keys keep their order, so that the written file is stable.
 */
export function toJsonSchema(schema: TSchema): Record<string, unknown> {
  return publish(schema) as Record<string, unknown>;
}

function publish(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(publish);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !key.startsWith("x-"));
  const out: Record<string, unknown> = {};
  for (const [key, part] of entries) {
    if (key === "properties") out[key] = publishProperties(part as Record<string, unknown>);
    else if (key === "default" || key === "const" || key === "enum") out[key] = part;
    else if (key !== "required") out[key] = publish(part);
    else {
      const required = stillRequired(part as string[], (value as { properties?: Record<string, object> }).properties);
      if (required.length > 0) out[key] = required;
    }
  }
  return out;
}

/** Below `properties` the keys are names, which may start with anything. */
function publishProperties(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, publish(part)]));
}

function stillRequired(required: readonly string[], properties: Record<string, object> = {}): readonly string[] {
  return required.filter((name) => {
    const property = properties[name];
    return property === undefined || !("default" in property);
  });
}
