import type { IncidentSnapshot } from "@winnow/contracts";
import type { IncidentRow } from "@winnow/ports";
import type { Column } from "./engine/columns.ts";

/** An incident on its way into the store, with the number of timeline rows that come with it. */
export interface IncidentInput {
  readonly row: IncidentRow;
  readonly timelineRows: number;
}

type Field = keyof IncidentSnapshot;

/** Fields of the snapshot that have a column of their own name. */
const copied = [
  ["tenant", "text"],
  ["number", "bigint"],
  ["version", "bigint"],
  ["state", "text"],
  ["priority", "text"],
  ["severity", "text"],
  ["impact", "text"],
  ["urgency", "text"],
  ["released", "boolean"],
  ["self_healed", "boolean"],
  ["title", "text"],
  ["category", "text"],
  ["service", "text"],
  ["environment", "text"],
  ["assignment_group", "text"],
  ["contact", "text"],
  ["opened_ms", "bigint"],
  ["last_event_ms", "bigint"],
  ["acknowledged_ms", "bigint"],
  ["resolved_ms", "bigint"],
  ["member_count", "bigint"],
  ["open_member_count", "bigint"],
  ["event_count", "bigint"],
  ["previous_id", "text"],
] as const satisfies readonly (readonly [Field, Column<unknown>["type"]])[];

export const incidentInputColumns: readonly Column<IncidentInput>[] = [
  { name: "incident_id", type: "text", of: ({ row }) => row.snapshot.incident_id },
  ...copied.map(([name, type]): Column<IncidentInput> => ({ name, type, of: ({ row }) => row.snapshot[name] })),
  { name: "rule_id", type: "text", of: ({ row }) => row.snapshot.rule.id },
  { name: "timeline_seq", type: "bigint", of: ({ timelineRows }) => timelineRows },
  { name: "search", type: "text", of: ({ row }) => searchText(row.snapshot) },
  { name: "destinations", type: "text", of: ({ row }) => JSON.stringify(row.destinations) },
  { name: "action_ids", type: "text", of: ({ row }) => JSON.stringify(row.action_ids) },
  { name: "snapshot", type: "text", of: ({ row }) => JSON.stringify(row.snapshot) },
];

/** What `q` looks through, in lower case. */
function searchText({ title, service, group_key, number }: IncidentSnapshot): string {
  const parts = [title, service ?? "", ...group_key.map(({ k, v }) => `${k}=${v}`), String(number)];
  return parts.join("\n").toLowerCase();
}

export const incidentColumns = "incident_id, opened_ms, timeline_seq, destinations, action_ids, snapshot";

/** The columns of `incidentColumns`. */
export interface StoredIncident {
  readonly incident_id: string;
  readonly opened_ms: number;
  readonly timeline_seq: number;
  readonly destinations: string;
  readonly action_ids: string;
  readonly snapshot: string;
}

export function rowOfIncident(stored: StoredIncident): IncidentRow {
  return {
    snapshot: JSON.parse(stored.snapshot) as IncidentSnapshot,
    destinations: JSON.parse(stored.destinations) as string[],
    timeline_seq: stored.timeline_seq,
    action_ids: JSON.parse(stored.action_ids) as string[],
  };
}
