import type { DatabaseSync } from "node:sqlite";
import type { TimelineEntry } from "@winnow/contracts";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";

/** Adds a row behind the incident's last one, whoever wrote that: stage C and the router share one numbering. */
export type AppendTimeline = (incidentId: string, entry: TimelineEntry) => void;

export function timelineAppender(db: DatabaseSync): AppendTimeline {
  const count = query<{ id: number; timeline_seq: number }>(
    db,
    "UPDATE incident SET timeline_seq = timeline_seq + 1 WHERE incident_id = ? RETURNING id, timeline_seq",
  );
  const insert = command(db, "INSERT INTO timeline (incident, seq, body) VALUES (?, ?, ?)");
  return (incidentId, entry) => {
    const next = count.get(incidentId);
    assert(next !== undefined, "a timeline's incident is stored");
    insert(next.id, next.timeline_seq, JSON.stringify(entry));
  };
}
