import {
  type Alert,
  type DeadLetter,
  type Delivery,
  type Incident,
  type IncidentMember,
  type Member,
  showReason,
  type TimelineRow,
} from "@winnow/contracts";
import type { AlertDetail, AlertState } from "@winnow/core";
import type { DeadLetterRow, DeliveryRow, IncidentRow, TimelineRowStored } from "@winnow/ports";

/** RFC 3339, UTC, milliseconds. Years outside 0 to 9999 are clamped, so that no stored time can break a reply. */
export function timeText(ms: number): string {
  const earliest = -62_167_219_200_000;
  const latest = 253_402_300_799_999;
  return new Date(Math.min(Math.max(ms, earliest), latest)).toISOString();
}

export function timeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : timeText(ms);
}

export function deliveryView(row: DeliveryRow): Delivery {
  return {
    incident_id: row.incident_id,
    destination: row.destination,
    generation: row.generation,
    delivery_state: row.delivery_state,
    desired_version: row.desired_version,
    applied_version: row.applied_version,
    remote_id: row.remote_id,
    remote_url: row.remote_url,
    attempts: row.attempts,
    due_at: timeOrNull(row.due_ms),
    last_error: row.last_error,
  };
}

export function incidentView(row: IncidentRow, deliveries: readonly DeliveryRow[]): Incident {
  const { snapshot } = row;
  return {
    id: snapshot.incident_id,
    number: snapshot.number,
    state: snapshot.state,
    priority: snapshot.priority,
    impact: snapshot.impact,
    urgency: snapshot.urgency,
    priority_inputs: snapshot.priority_inputs,
    severity: snapshot.severity,
    title: snapshot.title,
    service: snapshot.service,
    environment: snapshot.environment,
    category: snapshot.category,
    rule: snapshot.rule,
    group_key: snapshot.group_key,
    opened_at: timeText(snapshot.opened_ms),
    last_event_at: timeText(snapshot.last_event_ms),
    acknowledged_at: timeOrNull(snapshot.acknowledged_ms),
    resolved_at: timeOrNull(snapshot.resolved_ms),
    member_count: snapshot.member_count,
    open_member_count: snapshot.open_member_count,
    event_count: snapshot.event_count,
    previous_id: snapshot.previous_id,
    merged_into: null,
    version: snapshot.version,
    deliveries: deliveries
      .filter((delivery) => delivery.incident_id === snapshot.incident_id)
      .map((delivery) => deliveryView(delivery)),
  };
}

export function memberView(member: IncidentMember): Member {
  const { alert } = member;
  return {
    fingerprint: member.fingerprint,
    status: member.status,
    severity: member.severity,
    title: alert.title,
    source: alert.source,
    integration: alert.integration,
    service: alert.service ?? null,
    environment: alert.environment ?? null,
    host: alert.host ?? null,
    identity: alert.identity,
    labels: alert.labels,
    episode: { id: member.episode.id, started_at: timeText(member.episode.started_ms) },
    joined_at: timeText(member.joined_ms),
    resolved_at: timeOrNull(member.resolved_ms),
    reason: showReason(member.reason),
  };
}

export function timelineView(row: TimelineRowStored): TimelineRow {
  return {
    seq: row.seq,
    at: timeText(row.at_ms),
    kind: row.kind,
    actor: row.actor,
    text: row.text ?? null,
    fingerprint: row.fingerprint ?? null,
    reason: showReason(row.reason),
  };
}

/** An alert from what stage A keeps: its state and, written less often, its detail. */
export function alertView(state: AlertState, detail: AlertDetail, incidentId: string | null): Alert {
  const { facts } = detail;
  return {
    fingerprint: facts.fingerprint,
    identity: facts.identity,
    source: facts.source,
    integration: facts.integration,
    status: state.status,
    severity: state.severity,
    severity_source: detail.severitySource,
    title: facts.title,
    service: facts.service ?? null,
    environment: facts.environment ?? null,
    host: facts.host ?? null,
    episode: {
      id: state.episode.id,
      started_at: timeText(state.episode.started_ms),
      ended_at: timeOrNull(state.ended),
      resolve_reason: state.resolveReason,
    },
    count: state.count,
    flags: state.flags,
    labels: facts.labels,
    first_seen_at: timeText(state.first),
    last_seen_at: timeText(state.last),
    expires_at: timeOrNull(state.expires),
    incident_id: incidentId,
  };
}

export function deadLetterView(row: DeadLetterRow): DeadLetter {
  return {
    id: row.id,
    received_at: timeText(row.received_ms),
    integration: row.integration,
    reason: row.reason,
    bytes: row.bytes,
    sha256: row.sha256,
    raw_base64: row.raw_base64,
    attempts: row.attempts,
    state: row.state,
  };
}
