import { Document, isMap, isScalar, isSeq, type Node } from "yaml";
import { parseYaml, type YamlText } from "./yaml-parse.ts";
import type { PathPart } from "./yaml-problems.ts";
import { type SchemaView, shown } from "./yaml-scalars.ts";

/** The schema of a key's value, or null for an unknown key. */
export function propertyOf(schema: SchemaView, key: string): SchemaView | null {
  const { properties = {}, patternProperties = {}, additionalProperties } = schema;
  if (Object.hasOwn(properties, key)) return properties[key] ?? null;
  for (const [pattern, property] of Object.entries(patternProperties)) {
    if (new RegExp(pattern, "u").test(key)) return property;
  }
  if (typeof additionalProperties === "object") return additionalProperties;
  return additionalProperties === true ? {} : null;
}

/** True for nothing, `null` and `~`. */
export function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

/** True for what wants a list or a mapping. */
export function isCollection(schema: SchemaView): boolean {
  return schema.type === "object" || schema.type === "array";
}

/** True when a branch of a union wants the kind of node that stands there. */
export function fitsShape(schema: SchemaView, node: Node | null): boolean {
  if (schema.anyOf !== undefined && schema["x-kind"] !== "secret")
    return schema.anyOf.some((part) => fitsShape(part, node));
  if (isMap(node)) return schema.type === "object" || schema["x-kind"] === "secret" || schema.type === undefined;
  if (isSeq(node)) return schema.type === "array";
  if (isEmpty(node)) return schema.type === "null";
  // An inline secret goes to the branch that explains what to write instead.
  return (
    schema["x-kind"] === "secret" || (schema.type !== "object" && schema.type !== "array" && schema.type !== "null")
  );
}

/** What stands there, in words. */
export function shapeOf(node: Node | null, text: YamlText): string {
  const target = node === null ? null : (text.resolve(node) ?? null);
  if (isMap(target)) return "a mapping";
  if (isSeq(target)) return "a list";
  if (!isScalar(target)) return "nothing";
  return shown({ value: target.value, text: typeof target.value === "string" ? target.value : (target.source ?? "") });
}

/** A default as a node without a place, so that it takes the same way as what people write. */
export function nodeOf(value: unknown): Node | null {
  return new Document(value, { version: "1.2", schema: "core" }).contents;
}

/** Reads a filled-in text as an unquoted scalar: a number, boolean or null where it is one, else the text itself. */
export function plainValue(text: string): unknown {
  const parsed = parseYaml(text, "");
  if (!parsed.ok || !isScalar(parsed.text.root)) return text;
  const { value } = parsed.text.root;
  return typeof value === "number" || typeof value === "boolean" || value === null ? value : text;
}

/** `destinations.snow.auth.basic.password` → `SNOW_PASSWORD`. */
export function variableName(path: readonly PathPart[]): string {
  const words = path.filter((part) => typeof part === "string");
  const name = [words[1], words.at(-1)].filter((word) => word !== undefined).join("_");
  return name.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
}
