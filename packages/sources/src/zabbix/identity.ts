import type { KeyPart } from "@winnow/contracts";
import type { Report } from "../report.ts";
import type { EventSource, ZabbixFields } from "./fields.ts";
import type { ZabbixField } from "./schema.ts";

type Labels = Readonly<Record<string, readonly string[]>>;

/** The id of the object whose problem it is, the first that the message has. */
const idFields: Readonly<Record<EventSource, readonly ZabbixField[]>> = {
  trigger: ["trigger_id"],
  internal: ["item_id", "trigger_id"],
  service: ["service_id"],
  discovery: [],
  autoregistration: [],
};

/**
 * A trigger belongs to one host, and its id is the identity. A trigger that makes a problem per event needs
 * `correlation`, or its problems would be taken for one.
 */
export function readIdentity(fields: ZabbixFields, source: EventSource, labels: Labels, report: Report): KeyPart[] {
  const parts: KeyPart[] = source === "trigger" ? [] : [{ k: "event_source", v: source }];
  const name = idFields[source].find((candidate) => fields.get(candidate) !== undefined);
  if (name === undefined) {
    report.warn("identity_incomplete", idFields[source][0] ?? "event_source");
    return withAllLabels([...parts, { k: "event_name", v: fields.get("event_name") ?? "" }], labels);
  }
  parts.push({ k: name, v: fields.get(name) ?? "" });
  return source === "trigger" ? withCorrelation(parts, fields, labels, report) : parts;
}

function withCorrelation(parts: KeyPart[], fields: ZabbixFields, labels: Labels, report: Report): KeyPart[] {
  const correlation = fields.get("correlation")?.trim();
  if (correlation === undefined) return parts;
  if (correlation === "event") return [...parts, { k: "event_id", v: fields.get("event_id") ?? "" }];
  const values = Object.hasOwn(labels, correlation) ? labels[correlation] : undefined;
  if (values !== undefined) return [...parts, { k: `tag.${correlation}`, v: values.toSorted().join(",") }];
  report.warn("identity_incomplete", "correlation");
  return withAllLabels(parts, labels);
}

function withAllLabels(parts: readonly KeyPart[], labels: Labels): KeyPart[] {
  const all = Object.keys(labels)
    .toSorted()
    .flatMap((name) => (labels[name] ?? []).map((value) => ({ k: `tag.${name}`, v: value })));
  return [...parts, ...all];
}
