import { type Static, Type } from "typebox";
import { AlertFacts } from "./alert-event.ts";
import { Reason } from "./reason.ts";
import { Episode } from "./transition.ts";
import { EpochMs, IncidentLifecycle, KeyPart, Level, nullable, Priority, Severity } from "./vocabulary.ts";

const closed = { additionalProperties: false } as const;

/** How a priority came about: stored with its inputs, so that people can check it. */
export const PriorityInputs = Type.Object(
  {
    impact: Level,
    impact_from: Type.String(),
    urgency: Level,
    urgency_from: Type.String(),
    severity: Severity,
    open_members: Type.Integer(),
  },
  closed,
);
export type PriorityInputs = Static<typeof PriorityInputs>;

/** B's view of an incident, whole, sent with each event: C overwrites its row with it. */
export const IncidentSnapshot = Type.Object(
  {
    incident_id: Type.String(),
    number: Type.Integer(),
    tenant: Type.String(),
    scope: Type.String(),
    /** Rises with each incident event of this incident. */
    version: Type.Integer(),
    state: IncidentLifecycle,
    /** False while the hold time runs: no delivery is desired yet. */
    released: Type.Boolean(),
    self_healed: Type.Boolean(),
    rule: Type.Object({ id: Type.String(), digest: Type.String() }, closed),
    /** The newest rule generation this partition had seen: C routes with it. */
    rule_generation: Type.Integer(),
    rule_set_digest: Type.String(),
    group_key: Type.Array(KeyPart),
    title: Type.String(),
    description: Type.String(),
    category: nullable(Type.String()),
    service: nullable(Type.String()),
    environment: nullable(Type.String()),
    assignment_group: nullable(Type.String()),
    contact: nullable(Type.String()),
    severity: Severity,
    impact: Level,
    urgency: Level,
    priority: Priority,
    priority_inputs: PriorityInputs,
    opened_ms: EpochMs,
    last_event_ms: EpochMs,
    acknowledged_ms: nullable(EpochMs),
    resolved_ms: nullable(EpochMs),
    member_count: Type.Integer(),
    open_member_count: Type.Integer(),
    /** Transitions that touched the incident (repeats of an alert are counted on the alert). */
    event_count: Type.Integer(),
    previous_id: nullable(Type.String()),
  },
  closed,
);
export type IncidentSnapshot = Static<typeof IncidentSnapshot>;

/** A member row as C stores it. */
export const IncidentMember = Type.Object(
  {
    fingerprint: Type.String(),
    episode: Episode,
    status: Type.Enum(["firing", "resolved"]),
    severity: Severity,
    joined_ms: EpochMs,
    resolved_ms: nullable(EpochMs),
    alert: AlertFacts,
    reason: Reason,
  },
  closed,
);
export type IncidentMember = Static<typeof IncidentMember> & { reason: Reason };

export const timelineKinds = [
  "opened",
  "reopened",
  "joined",
  "member_changed",
  "member_resolved",
  "released",
  "acknowledged",
  "resolved",
  "noted",
  "action_refused",
  "priority_changed",
  "delivery",
] as const;
export type TimelineKind = (typeof timelineKinds)[number];

/** One line of the incident's story, made by B (or by the router for deliveries). */
export const TimelineEntry = Type.Object(
  {
    kind: Type.Enum(timelineKinds),
    at_ms: EpochMs,
    actor: Type.String(),
    text: Type.Optional(Type.String()),
    fingerprint: Type.Optional(Type.String()),
    reason: Reason,
  },
  closed,
);
export type TimelineEntry = Static<typeof TimelineEntry> & { reason: Reason };

/** The output of stage B, the input of stage C. */
export const IncidentEvent = Type.Object(
  {
    type: Type.Literal("incident"),
    at_ms: EpochMs,
    incident: IncidentSnapshot,
    /** True when people should see this change in the ticket. */
    notable: Type.Boolean(),
    /** True when the ticket should not wait for more changes: opened, released, severer, acknowledged, resolved. */
    urgent: Type.Boolean(),
    members: Type.Array(IncidentMember),
    timeline: Type.Array(TimelineEntry),
    /** Set when a person's action caused it: the API waits for it. */
    action_id: Type.Optional(Type.String()),
  },
  closed,
);
export type IncidentEvent = Omit<Static<typeof IncidentEvent>, "members" | "timeline"> & {
  members: IncidentMember[];
  timeline: TimelineEntry[];
};
