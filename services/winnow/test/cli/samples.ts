import {
  type Alert,
  type DeadLetter,
  type Delivery,
  type Explanation,
  type Incident,
  type Member,
  reason,
  showReason,
  type TimelineRow,
} from "@winnow/contracts";

const minute = 60_000;

/** So many minutes before now. The tables show ages, so samples count back from the present. */
export function before(minutes: number, now = Date.now()): string {
  return new Date(now - minutes * minute).toISOString();
}

export function delivery(more: Partial<Delivery> = {}): Delivery {
  return {
    incident_id: "inc_0001",
    destination: "snow",
    generation: 1,
    delivery_state: "idle",
    desired_version: 4,
    applied_version: 4,
    remote_id: "46d44a23a9fe1981",
    remote_url: "https://example.service-now.com/nav_to.do?uri=incident.do#INC0010023",
    attempts: 0,
    due_at: null,
    last_error: null,
    ...more,
  };
}

export function incident(more: Partial<Incident> = {}): Incident {
  return {
    id: "inc_0001",
    number: 42,
    state: "new",
    priority: "P1",
    impact: "high",
    urgency: "high",
    priority_inputs: {
      impact: "high",
      impact_from: "breadth: 10 hosts or more",
      urgency: "high",
      urgency_from: "severity critical",
      severity: "critical",
      open_members: 2,
    },
    severity: "critical",
    title: "checkout: p99 above 2 s on web-1",
    service: "checkout",
    environment: "prod",
    category: "software",
    rule: { id: "per-service", digest: "3fa2b1c4d5e6f708" },
    group_key: [{ k: "service", v: "checkout" }],
    opened_at: before(12.05),
    last_event_at: before(8.05),
    acknowledged_at: null,
    resolved_at: null,
    member_count: 3,
    open_member_count: 2,
    event_count: 5,
    previous_id: null,
    merged_into: null,
    version: 4,
    deliveries: [delivery()],
    ...more,
  };
}

export function member(more: Partial<Member> = {}): Member {
  return {
    fingerprint: "0123456789abcdef0123456789abcdef",
    status: "firing",
    severity: "critical",
    title: "p99 above 2 s on web-1",
    source: "alertmanager",
    integration: "prometheus-prod",
    service: "checkout",
    environment: "prod",
    host: "web-1",
    identity: [{ k: "alertname", v: "HighLatency" }],
    labels: { alertname: ["HighLatency"] },
    episode: { id: "ep_1", started_at: before(12.05) },
    joined_at: before(12.05),
    resolved_at: null,
    reason: showReason(reason("rule_opened")),
    ...more,
  };
}

export function timelineRow(seq: number, more: Partial<TimelineRow> = {}): TimelineRow {
  return {
    seq,
    at: "2026-11-24T22:54:36.000Z",
    kind: "joined",
    actor: "winnow",
    text: null,
    fingerprint: null,
    reason: showReason(reason("rule_joined")),
    ...more,
  };
}

export function explanation(more: Partial<Explanation> = {}): Explanation {
  return {
    incident_id: "inc_0001",
    fingerprint: "0123456789abcdef0123456789abcdef",
    seq: 1,
    at: "2026-11-24T22:54:36.000Z",
    kind: "opened",
    actor: "winnow",
    text: null,
    reason: showReason(reason("rule_opened", undefined, { id: "per-service", digest: "3fa2b1c4d5e6f708" })),
    group_key: [{ k: "service", v: "checkout" }],
    why_not: [
      {
        rule_id: "per-cluster",
        condition: "labels.cluster: { exists: true }",
        expected: "present",
        actual: "(absent)",
      },
    ],
    ...more,
  };
}

export function alert(more: Partial<Alert> = {}): Alert {
  return {
    fingerprint: "0123456789abcdef0123456789abcdef",
    identity: [{ k: "alertname", v: "HighLatency" }],
    source: "alertmanager",
    integration: "prometheus-prod",
    status: "firing",
    severity: "critical",
    severity_source: "critical",
    title: "p99 above 2 s on web-1",
    service: "checkout",
    environment: "prod",
    host: "web-1",
    episode: { id: "ep_1", started_at: before(12.05), ended_at: null, resolve_reason: null },
    count: 17,
    flags: {},
    labels: { alertname: ["HighLatency"] },
    first_seen_at: before(12.05),
    last_seen_at: before(1.05),
    expires_at: null,
    incident_id: "inc_0001",
    ...more,
  };
}

export function deadLetter(more: Partial<DeadLetter> = {}): DeadLetter {
  const raw = Buffer.from('{"alerts": 7}');
  return {
    id: "dl_0001",
    received_at: before(3.05),
    integration: "prometheus-prod",
    reason: { code: "wrong_body", text: "alerts must be a list" },
    bytes: raw.length,
    sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    raw_base64: raw.toString("base64"),
    attempts: 0,
    state: "waiting",
    ...more,
  };
}

export function page<Item>(items: readonly Item[], next_cursor: string | null = null) {
  return { items, next_cursor };
}
