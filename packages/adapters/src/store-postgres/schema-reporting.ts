import { quoted } from "./engine/postgres.ts";

/** Epoch ms as a UTC time without a zone: it reads the same whatever zone a report's session has. */
const utc = (column: string) => `to_timestamp(${column} / 1000.0) AT TIME ZONE 'UTC'`;

/** Flat views for reports: one row per thing, no JSON, all times UTC. Their columns are append-only. */
export function reportingViews(reportingSchema: string): string {
  const views = quoted(reportingSchema);
  return `
      CREATE VIEW ${views}.incidents AS
      SELECT incident_id, number, tenant, state, priority, severity, impact, urgency, title, category, service,
        environment, assignment_group, contact, rule_id, released, self_healed, version,
        ${utc("opened_ms")} AS opened_at_utc,
        ${utc("last_event_ms")} AS last_event_at_utc,
        ${utc("acknowledged_ms")} AS acknowledged_at_utc,
        ${utc("resolved_ms")} AS resolved_at_utc,
        (acknowledged_ms - opened_ms) / 1000.0 AS seconds_to_acknowledge,
        (resolved_ms - opened_ms) / 1000.0 AS seconds_to_resolve,
        member_count, open_member_count, event_count, previous_id
      FROM incident;

      CREATE VIEW ${views}.timeline AS
      SELECT incident.incident_id, timeline.seq, ${utc("timeline.at_ms")} AS at_utc, timeline.kind, timeline.actor,
        timeline.note AS text, timeline.fingerprint, timeline.reason_code, timeline.reason_text, timeline.rule_id
      FROM timeline JOIN incident ON incident.id = timeline.incident;

      CREATE VIEW ${views}.deliveries AS
      SELECT incident_id, destination, generation, delivery_state, priority, desired_version, applied_version,
        remote_id, remote_url, attempts, ${utc("due_ms")} AS due_at_utc, ${utc("sent_ms")} AS sent_at_utc,
        error_code, error_message
      FROM delivery;

      CREATE VIEW ${views}.kpi_daily AS
      SELECT (${utc("opened_ms")})::date AS day_utc,
        coalesce(category, 'none') AS category,
        count(*) AS opened,
        count(*) FILTER (WHERE released) AS released,
        count(*) FILTER (WHERE self_healed) AS self_healed,
        count(*) FILTER (WHERE acknowledged_ms IS NOT NULL) AS acknowledged,
        count(*) FILTER (WHERE resolved_ms IS NOT NULL) AS resolved,
        count(*) FILTER (WHERE priority = 'P1') AS opened_p1,
        count(*) FILTER (WHERE priority = 'P2') AS opened_p2,
        (avg(acknowledged_ms - opened_ms) / 1000)::double precision AS mean_seconds_to_acknowledge,
        (avg(resolved_ms - opened_ms) / 1000)::double precision AS mean_seconds_to_resolve,
        sum(member_count)::bigint AS alerts,
        sum(event_count)::bigint AS events
      FROM incident
      GROUP BY 1, 2;

      COMMENT ON SCHEMA ${views} IS 'Winnow: flat views for reports. Times are UTC.';
    `;
}
