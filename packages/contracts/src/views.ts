import { type Static, Type } from "typebox";
import { AlertFlags, Labels } from "./alert-event.ts";
import { PriorityInputs, timelineKinds } from "./incident-event.ts";
import { ShownReason } from "./reason.ts";
import {
  AlertStatus,
  DeadLetterState,
  DeliveryState,
  IncidentLifecycle,
  KeyPart,
  Level,
  nullable,
  Priority,
  ResolveReason,
  Severity,
} from "./vocabulary.ts";

const closed = { additionalProperties: false } as const;
/** RFC 3339, UTC, milliseconds. */
const Time = Type.String({ format: "date-time" });
const NullableTime = nullable(Time);

/** Desired and applied state of one incident at one destination, as the API shows it. */
export const Delivery = Type.Object(
  {
    incident_id: Type.String(),
    destination: Type.String(),
    generation: Type.Integer(),
    delivery_state: DeliveryState,
    desired_version: Type.Integer(),
    applied_version: Type.Integer(),
    remote_id: nullable(Type.String()),
    remote_url: nullable(Type.String()),
    attempts: Type.Integer(),
    due_at: NullableTime,
    last_error: nullable(Type.Object({ code: Type.String(), message: Type.String() }, closed)),
  },
  closed,
);
export type Delivery = Static<typeof Delivery>;

export const Incident = Type.Object(
  {
    id: Type.String(),
    number: Type.Integer(),
    state: IncidentLifecycle,
    priority: Priority,
    impact: Level,
    urgency: Level,
    priority_inputs: PriorityInputs,
    severity: Severity,
    title: Type.String(),
    service: nullable(Type.String()),
    environment: nullable(Type.String()),
    category: nullable(Type.String()),
    rule: Type.Object({ id: Type.String(), digest: Type.String() }, closed),
    group_key: Type.Array(KeyPart),
    opened_at: Time,
    last_event_at: Time,
    acknowledged_at: NullableTime,
    resolved_at: NullableTime,
    member_count: Type.Integer(),
    open_member_count: Type.Integer(),
    event_count: Type.Integer(),
    previous_id: nullable(Type.String()),
    merged_into: nullable(Type.String()),
    version: Type.Integer(),
    deliveries: Type.Array(Delivery),
  },
  closed,
);
export type Incident = Static<typeof Incident>;

export const Alert = Type.Object(
  {
    fingerprint: Type.String(),
    identity: Type.Array(KeyPart),
    source: Type.String(),
    integration: Type.String(),
    status: AlertStatus,
    severity: Severity,
    severity_source: nullable(Type.String()),
    title: Type.String(),
    service: nullable(Type.String()),
    environment: nullable(Type.String()),
    host: nullable(Type.String()),
    episode: Type.Object(
      { id: Type.String(), started_at: Time, ended_at: NullableTime, resolve_reason: nullable(ResolveReason) },
      closed,
    ),
    count: Type.Integer(),
    flags: AlertFlags,
    labels: Labels,
    first_seen_at: Time,
    last_seen_at: Time,
    expires_at: NullableTime,
    incident_id: nullable(Type.String()),
  },
  closed,
);
export type Alert = Static<typeof Alert>;

export const TimelineRow = Type.Object(
  {
    seq: Type.Integer(),
    at: Time,
    kind: Type.Enum(timelineKinds),
    actor: Type.String(),
    text: nullable(Type.String()),
    fingerprint: nullable(Type.String()),
    reason: ShownReason,
  },
  closed,
);
export type TimelineRow = Omit<Static<typeof TimelineRow>, "reason"> & { reason: ShownReason };

/** One rule that did not take the alert, and the first of its conditions that failed. */
export const WhyNot = Type.Object(
  { rule_id: Type.String(), condition: Type.String(), expected: Type.String(), actual: Type.String() },
  closed,
);
export type WhyNot = Static<typeof WhyNot>;

/** Why something happened to an incident, and why no other rule took the alert: recomputed from what is stored. */
export const Explanation = Type.Object(
  {
    incident_id: nullable(Type.String()),
    fingerprint: nullable(Type.String()),
    seq: nullable(Type.Integer()),
    at: NullableTime,
    kind: nullable(Type.Enum(timelineKinds)),
    actor: Type.String(),
    text: nullable(Type.String()),
    reason: ShownReason,
    group_key: Type.Array(KeyPart),
    why_not: Type.Array(WhyNot),
  },
  closed,
);
export type Explanation = Omit<Static<typeof Explanation>, "reason"> & { reason: ShownReason };

/** A member of an incident as the API shows it. */
export const Member = Type.Object(
  {
    fingerprint: Type.String(),
    status: AlertStatus,
    severity: Severity,
    title: Type.String(),
    source: Type.String(),
    integration: Type.String(),
    service: nullable(Type.String()),
    environment: nullable(Type.String()),
    host: nullable(Type.String()),
    identity: Type.Array(KeyPart),
    labels: Labels,
    episode: Type.Object({ id: Type.String(), started_at: Time }, closed),
    joined_at: Time,
    resolved_at: NullableTime,
    reason: ShownReason,
  },
  closed,
);
export type Member = Omit<Static<typeof Member>, "reason"> & { reason: ShownReason };

export const DeadLetter = Type.Object(
  {
    id: Type.String(),
    received_at: Time,
    integration: Type.String(),
    reason: Type.Object({ code: Type.String(), text: Type.String() }, closed),
    bytes: Type.Integer(),
    sha256: Type.String(),
    raw_base64: Type.String(),
    attempts: Type.Integer(),
    state: DeadLetterState,
  },
  closed,
);
export type DeadLetter = Static<typeof DeadLetter>;

export const Accounting = Type.Object(
  {
    accepted: Type.Integer(),
    in_flight: Type.Integer(),
    outcomes: Type.Object(
      {
        opened: Type.Integer(),
        joined: Type.Integer(),
        updated: Type.Integer(),
        resolved: Type.Integer(),
        duplicate: Type.Integer(),
        outdated: Type.Integer(),
        pending: Type.Integer(),
        non_alert: Type.Integer(),
        dead_letter: Type.Integer(),
      },
      closed,
    ),
  },
  closed,
);
export type Accounting = Static<typeof Accounting>;
