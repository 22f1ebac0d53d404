/** The state of a Winnow as its API tells it, in words that two runs over the same alerts must share. */
import { createHash } from "node:crypto";
import type { Api, ApiAccounting } from "../torture/api.ts";

interface Part {
  readonly k: string;
  readonly v: string;
}

interface IncidentRow {
  readonly id: string;
  readonly rule: { readonly id: string };
  readonly group_key: readonly Part[];
  readonly [field: string]: unknown;
}

interface AlertRow {
  readonly fingerprint: string;
  readonly incident_id: string | null;
  readonly episode: { readonly started_at: string; readonly ended_at: string | null };
  readonly [field: string]: unknown;
}

export interface StateDigest {
  readonly sha256: string;
  /** One line each, sorted: what differs can be shown. */
  readonly lines: readonly string[];
  readonly alerts: number;
  readonly incidents: number;
}

/** What says nothing about when and where it was decided; ids are replaced by what they stand for. */
const incidentFields = ["state", "priority", "severity", "title", "service", "member_count", "open_member_count"];
const alertFields = ["fingerprint", "source", "integration", "status", "severity", "title", "labels", "count", "flags"];

/** Reads every alert, every incident and the accounting. */
export async function stateDigest(api: Api): Promise<StateDigest> {
  const incidents = await api.all<IncidentRow>("/v1/incidents");
  const alerts = await api.all<AlertRow>("/v1/alerts");
  const { value: accounting } = await api.get<ApiAccounting>("/v1/accounting");
  const nameOf = new Map(incidents.map(({ id, rule, group_key }) => [id, `${rule.id} ${JSON.stringify(group_key)}`]));
  const lines = [
    ...incidents.map((incident) => line("incident", nameOf.get(incident.id), pick(incident, incidentFields))),
    ...alerts.map((alert) => {
      const { started_at, ended_at } = alert.episode;
      return line("alert", nameOf.get(alert.incident_id ?? ""), [...pick(alert, alertFields), started_at, ended_at]);
    }),
  ].toSorted();
  lines.push(line("accounting", accounting.accepted, [accounting.in_flight, accounting.outcomes]));
  const sha256 = createHash("sha256").update(lines.join("\n")).digest("hex");
  return { sha256, lines, alerts: alerts.length, incidents: incidents.length };
}

/** Lines of one that the other does not have, a few of them. */
export function differences(expected: StateDigest, found: StateDigest): string[] {
  const shown = 5;
  const wanted = new Set(expected.lines);
  const there = new Set(found.lines);
  const missing = expected.lines.filter((one) => !there.has(one));
  const surplus = found.lines.filter((one) => !wanted.has(one));
  return [
    ...missing.slice(0, shown).map((one) => `- ${one}`),
    ...surplus.slice(0, shown).map((one) => `+ ${one}`),
    ...(missing.length + surplus.length > 2 * shown ? [`${missing.length} and ${surplus.length} in all`] : []),
  ];
}

function pick(row: Readonly<Record<string, unknown>>, fields: readonly string[]): unknown[] {
  return fields.map((field) => row[field]);
}

function line(kind: string, name: unknown, values: readonly unknown[]): string {
  return JSON.stringify([kind, name, ...values]);
}
