import type { IncidentPruner } from "@winnow/ports";
import type { Postgres } from "./engine/postgres.ts";

const UNSETTLED = `EXISTS (
  SELECT FROM delivery
  WHERE delivery.incident_id = incident.incident_id AND delivery_state IN ('due', 'inflight', 'unknown'))`;

// An incident that somebody works on right now is not old: the next step looks at it again.
const HOLD = `
  SELECT id FROM incident WHERE state = 'resolved' AND resolved_ms < $1 AND NOT ${UNSETTLED}
  ORDER BY resolved_ms LIMIT $2 FOR UPDATE SKIP LOCKED`;

// Judged again, now that no wish can come between.
const REMOVE = `
  WITH gone AS (
    DELETE FROM incident WHERE id = ANY ($1::bigint[]) AND NOT ${UNSETTLED} RETURNING id, incident_id
  ), members AS (
    DELETE FROM member USING gone WHERE member.incident = gone.id
  ), rows AS (
    DELETE FROM timeline USING gone WHERE timeline.incident = gone.id
  ), deliveries AS (
    DELETE FROM delivery USING gone WHERE delivery.incident_id = gone.incident_id
  )
  SELECT count(*) AS n FROM gone`;

const REMOVE_LETTERS = `
  DELETE FROM dead_letter WHERE id IN (
    SELECT id FROM dead_letter WHERE state <> 'waiting' AND received_ms < $1
    ORDER BY received_ms LIMIT $2 FOR UPDATE SKIP LOCKED)`;

/** Removal by age, in steps of the caller's size. */
export function pruneOperations(postgres: Postgres): IncidentPruner {
  return {
    prune: (beforeMs, limit) =>
      postgres.transaction(async (statements) => {
        const held = await statements.rows<{ id: number }>(HOLD, [beforeMs, limit]);
        const [removed] = await statements.rows<{ n: number }>(REMOVE, [held.map(({ id }) => id)]);
        return (removed?.n ?? 0) + (await statements.change(REMOVE_LETTERS, [beforeMs, limit]));
      }),
  };
}
