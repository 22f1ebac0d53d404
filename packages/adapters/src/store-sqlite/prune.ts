import type { DatabaseSync } from "node:sqlite";
import type { IncidentPruner } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import type { Sync } from "./operations.ts";

/** Removal by age, in steps of the caller's size. */
export function pruneOperations(db: DatabaseSync): Sync<IncidentPruner> {
  // An incident is resolved after it was opened: the index narrows, the snapshot decides.
  const old = query<{ id: number; incident_id: string }>(
    db,
    `SELECT id, incident_id FROM incident
     WHERE state = 'resolved' AND opened_ms < ?1 AND json_extract(snapshot, '$.resolved_ms') < ?1
       AND NOT EXISTS (
         SELECT 1 FROM delivery
         WHERE delivery.incident_id = incident.incident_id AND delivery_state IN ('due', 'inflight', 'unknown')
       )
     ORDER BY opened_ms LIMIT ?2`,
  );
  const removals = [
    command(db, "DELETE FROM member WHERE incident = ?"),
    command(db, "DELETE FROM timeline WHERE incident = ?"),
    command(db, "DELETE FROM incident WHERE id = ?"),
  ];
  const removeDeliveries = command(db, "DELETE FROM delivery WHERE incident_id = ?");
  const removeLetters = command(
    db,
    `DELETE FROM dead_letter WHERE id IN (
       SELECT id FROM dead_letter WHERE state <> 'waiting' AND received_ms < ? ORDER BY received_ms LIMIT ?
     )`,
  );
  return {
    prune: (before, limit) => {
      const incidents = old.all(before, limit);
      for (const { id, incident_id } of incidents) {
        removeDeliveries(incident_id);
        for (const remove of removals) remove(id);
      }
      return incidents.length + removeLetters(before, limit);
    },
  };
}
