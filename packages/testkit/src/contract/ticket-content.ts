import {
  type IncidentMember,
  type IncidentSnapshot,
  type ReasonCode,
  reason,
  type Severity,
  type TimelineEntry,
  type TimelineKind,
} from "@winnow/contracts";
import type { TicketContent } from "@winnow/ports";

/** 2026-03-01 10:00:00 UTC: when the incident of `ticketContent` began. */
export const ticketBeganMs = Date.UTC(2026, 2, 1, 10);

type Note = TicketContent["notes"][number];

/** The content of a ticket for an incident with two firing alerts; parts of it can be replaced. */
export function ticketContent(
  parts: Partial<Omit<TicketContent, "incident">> & { readonly incident?: Partial<IncidentSnapshot> } = {},
): TicketContent {
  const { incident, ...others } = parts;
  return {
    key: "winnow:test:i-7:snow:1",
    incident: { ...snapshot, ...incident },
    members: [
      ticketMember({ title: "Error rate above 5 %", host: "web-1", severity: "critical", opens: true }),
      ticketMember({ title: "Latency p99 above 2 s", host: "web-2", severity: "warning" }),
    ],
    notes: [],
    url: "https://winnow.example/incidents/i-7",
    predecessor: null,
    ...others,
  };
}

/** A member alert, firing unless `resolvedMs` is given. */
export function ticketMember(alert: {
  readonly title: string;
  readonly host: string;
  readonly severity: Severity;
  readonly resolvedMs?: number;
  /** Its alert opened the incident. */
  readonly opens?: boolean;
  readonly links?: IncidentMember["alert"]["links"];
}): IncidentMember {
  const fingerprint = Buffer.from(alert.title + alert.host)
    .toString("hex")
    .padEnd(32, "0")
    .slice(0, 32);
  return {
    fingerprint,
    episode: { id: `${fingerprint}/1`, started_ms: ticketBeganMs },
    status: alert.resolvedMs === undefined ? "firing" : "resolved",
    severity: alert.severity,
    joined_ms: ticketBeganMs,
    resolved_ms: alert.resolvedMs ?? null,
    alert: {
      tenant: "default",
      scope: "default",
      source: "alertmanager",
      integration: "prometheus-prod",
      fingerprint,
      severity: alert.severity,
      title: alert.title,
      dedup_key: fingerprint,
      identity: [{ k: "alertname", v: alert.title }],
      service: "checkout",
      environment: "prod",
      host: alert.host,
      labels: {},
      annotations: {},
      links: alert.links ?? [],
      hints: {},
    },
    reason: reason(
      alert.opens === true ? "rule_opened" : "rule_joined",
      { alert: alert.title },
      { id: "per-service", digest: "d1" },
    ),
  };
}

/** A timeline row, one minute after the one with the seq before. */
export function ticketNote(
  seq: number,
  kind: TimelineKind,
  more: Partial<TimelineEntry> & { readonly code?: ReasonCode } = {},
): Note {
  const { code, ...entry } = more;
  const at_ms = ticketBeganMs + seq * 60_000;
  return { seq, kind, at_ms, actor: "winnow", reason: reason(code ?? reasonOfKind[kind]), ...entry };
}

const reasonOfKind: Readonly<Record<TimelineKind, ReasonCode>> = {
  opened: "rule_opened",
  reopened: "rule_reopened",
  joined: "rule_joined",
  member_changed: "member_updated",
  member_resolved: "member_resolved",
  released: "released",
  acknowledged: "person_acknowledged",
  resolved: "all_resolved",
  noted: "person_noted",
  action_refused: "action_refused",
  priority_changed: "priority_changed",
  delivery: "routed",
};

const snapshot: IncidentSnapshot = {
  incident_id: "i-7",
  number: 7,
  tenant: "default",
  scope: "default",
  version: 1,
  state: "new",
  released: true,
  self_healed: false,
  rule: { id: "per-service", digest: "d1" },
  rule_generation: 1,
  rule_set_digest: "d1",
  group_key: [{ k: "service", v: "checkout" }],
  title: "checkout: Error rate above 5 %",
  description: "More than 5 % of the requests to checkout have failed for 5 minutes.",
  category: "software",
  service: "checkout",
  environment: "prod",
  assignment_group: "platform",
  contact: "#checkout-oncall",
  severity: "critical",
  impact: "medium",
  urgency: "high",
  priority: "P2",
  priority_inputs: {
    impact: "medium",
    impact_from: "rule",
    urgency: "high",
    urgency_from: "severity critical",
    severity: "critical",
    open_members: 2,
  },
  opened_ms: ticketBeganMs,
  last_event_ms: ticketBeganMs + 120_000,
  acknowledged_ms: null,
  resolved_ms: null,
  member_count: 2,
  open_member_count: 2,
  event_count: 2,
  previous_id: null,
};
