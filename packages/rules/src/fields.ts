import type { AlertFacts } from "@winnow/contracts";
import { priorities, severities } from "@winnow/contracts";
import { fieldValues, keyedAlertFields, parseField, plainAlertFields, type RouteFacts } from "@winnow/core";
import { nearest } from "@winnow/platform";

/** Reads a field: `one` where it has at most one value, `many` where it may have several. Empty text is absent. */
export type FieldReader<Facts> =
  | { readonly kind: "one"; readonly read: (facts: Facts) => string | undefined }
  | { readonly kind: "many"; readonly read: (facts: Facts) => readonly string[] };

/** Fields that routes may name. */
const routeFields = [
  "priority",
  "severity",
  "service",
  "environment",
  "category",
  "assignment_group",
  "rule_id",
  "title",
] as const satisfies readonly (keyof RouteFacts)[];

/** Fields whose values are a closed set of words. */
export const closedFields: Readonly<Record<string, readonly string[]>> = { severity: severities, priority: priorities };

export function alertReader(field: string): FieldReader<AlertFacts> | null {
  const path = parseField(field);
  if (path === null) return null;
  if (path.kind === "plain") return { kind: "one", read: (facts) => facts[path.name] || undefined };
  return { kind: "many", read: (facts) => fieldValues(facts, path) };
}

export function routeReader(field: string): FieldReader<RouteFacts> | null {
  const name = routeFields.find((known) => known === field);
  return name === undefined ? null : { kind: "one", read: (facts) => facts[name] || undefined };
}

/** All values of a field, whichever kind it is. */
export function valuesOf<Facts>(reader: FieldReader<Facts>, facts: Facts): readonly string[] {
  if (reader.kind === "many") return reader.read(facts);
  const value = reader.read(facts);
  return value === undefined ? [] : [value];
}

/** What to write instead of an unknown field of an alert. */
export function alertFieldHint(field: string): string {
  const [head = "", ...rest] = field.split(".");
  if (rest.length > 0) {
    const near = nearest(head, keyedAlertFields);
    if (near !== null && rest.join(".") !== "") return `did you mean "${near}.${rest.join(".")}"?`;
  }
  const known = keyedAlertFields.find((name) => name === head);
  if (known !== undefined) return `name one of them: ${known}.NAME`;
  const near = nearest(field, plainAlertFields);
  if (near !== null) return `did you mean "${near}"?`;
  return `a label is labels.${field}; other fields: ${plainAlertFields.join(", ")}, annotations.X, resource.X, identity.X`;
}

export function routeFieldHint(field: string): string {
  const near = nearest(field, routeFields);
  return near === null ? `routes look at ${routeFields.join(", ")}` : `did you mean "${near}"?`;
}
