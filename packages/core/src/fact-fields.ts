import type { AlertFacts } from "@winnow/contracts";

/** Fields of an alert that rules and titles may name as they are. */
export const plainAlertFields = [
  "source",
  "integration",
  "severity",
  "title",
  "service",
  "environment",
  "host",
  "component",
  "class",
  "group_key",
  "dedup_key",
] as const;
export type PlainAlertField = (typeof plainAlertFields)[number];

/** Fields that take a name after a dot: `labels.team`, `identity.alertname`. The name may hold dots itself. */
export const keyedAlertFields = ["labels", "annotations", "resource", "identity"] as const;
export type KeyedAlertField = (typeof keyedAlertFields)[number];

/** A field name that was understood. */
export type FieldPath =
  | { readonly kind: "plain"; readonly name: PlainAlertField }
  | { readonly kind: "keyed"; readonly name: KeyedAlertField; readonly key: string };

/** Understands a field name, or null when rules may not name it. */
export function parseField(field: string): FieldPath | null {
  const plain = plainAlertFields.find((name) => name === field);
  if (plain !== undefined) return { kind: "plain", name: plain };
  const dot = field.indexOf(".");
  const keyed = keyedAlertFields.find((name) => name === field.slice(0, dot));
  if (keyed === undefined || dot === field.length - 1) return null;
  return { kind: "keyed", name: keyed, key: field.slice(dot + 1) };
}

/** The values of a field, in the alert's order; empty when the alert does not have it. Empty texts count as absent. */
export function fieldValues(facts: AlertFacts, path: FieldPath): readonly string[] {
  if (path.kind === "plain") return present(facts[path.name]);
  switch (path.name) {
    case "labels":
      return ownValue(facts.labels, path.key)?.filter((value) => value !== "") ?? [];
    case "annotations":
      return present(ownValue(facts.annotations, path.key));
    case "resource":
      return facts.resource === undefined ? [] : present(ownValue(facts.resource, path.key));
    case "identity":
      return facts.identity.filter((part) => part.k === path.key && part.v !== "").map((part) => part.v);
  }
}

function present(value: string | undefined): readonly string[] {
  return value === undefined || value === "" ? [] : [value];
}

/** Never reaches a prototype: a label may be called `constructor`. */
function ownValue<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
