import type { IncidentSnapshot } from "@winnow/contracts";
import type { IncidentRow } from "@winnow/ports";

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
