import { type Static, type TSchema, Type } from "typebox";

/** Epoch milliseconds. Times are integers on the log and RFC 3339 text at the API. */
export const EpochMs = Type.Integer({ description: "epoch milliseconds, UTC" });

/** Severity scale, worst first. "ok" is a status, never a severity. */
export const Severity = Type.Enum(["critical", "error", "warning", "info", "unknown"]);
export type Severity = Static<typeof Severity>;

export const AlertStatus = Type.Enum(["firing", "resolved"]);
export type AlertStatus = Static<typeof AlertStatus>;

/** What the message is. Only `alert` can open an incident. */
export const EventKind = Type.Enum(["alert", "change", "heartbeat", "report", "test", "control"]);
export type EventKind = Static<typeof EventKind>;

/** What the sender says now about the alert. */
export const AlertAction = Type.Enum([
  "fire",
  "resolve",
  "acknowledge",
  "unacknowledge",
  "update",
  "comment",
  "suppress",
  "unsuppress",
]);
export type AlertAction = Static<typeof AlertAction>;

export const ResolveReason = Type.Enum(["condition", "expired", "missing", "manual", "deleted", "maintenance"]);
export type ResolveReason = Static<typeof ResolveReason>;

/** How far the source's own time can be trusted. */
export const TimeQuality = Type.Enum(["exact", "offset_derived", "assumed_zone", "received"]);
export type TimeQuality = Static<typeof TimeQuality>;

export const Level = Type.Enum(["high", "medium", "low"]);
/** Impact or urgency, as ITIL uses the words. */
export type Level = Static<typeof Level>;

export const Priority = Type.Enum(["P1", "P2", "P3", "P4", "P5"]);
export type Priority = Static<typeof Priority>;

export const IncidentLifecycle = Type.Enum([
  "new",
  "acknowledged",
  "diagnosing",
  "mitigated",
  "resolved",
  "closed",
  "reviewed",
]);
export type IncidentLifecycle = Static<typeof IncidentLifecycle>;

export const DeliveryState = Type.Enum(["idle", "due", "inflight", "unknown", "parked", "dead"]);
export type DeliveryState = Static<typeof DeliveryState>;

/** The closed set of fates: every accepted event ends in exactly one. */
export const Outcome = Type.Enum([
  "opened",
  "joined",
  "updated",
  "resolved",
  "duplicate",
  "outdated",
  "pending",
  "non_alert",
  "dead_letter",
]);
export type Outcome = Static<typeof Outcome>;

export const DeadLetterState = Type.Enum(["waiting", "retried", "discarded"]);
export type DeadLetterState = Static<typeof DeadLetterState>;

/** One part of an identity or of a group key: shown to people, so kept as a pair. */
export const KeyPart = Type.Object({ k: Type.String(), v: Type.String() }, { additionalProperties: false });
export type KeyPart = Static<typeof KeyPart>;

export const severities = ["critical", "error", "warning", "info", "unknown"] as const satisfies readonly Severity[];
export const priorities = ["P1", "P2", "P3", "P4", "P5"] as const satisfies readonly Priority[];
export const outcomes = [
  "opened",
  "joined",
  "updated",
  "resolved",
  "duplicate",
  "outdated",
  "pending",
  "non_alert",
  "dead_letter",
] as const satisfies readonly Outcome[];

/** Wraps a schema so that absent may also be written as null. */
export function nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()]);
}

export const incidentStates = [
  "new",
  "acknowledged",
  "diagnosing",
  "mitigated",
  "resolved",
  "closed",
  "reviewed",
] as const satisfies readonly IncidentLifecycle[];
export const deliveryStates = [
  "idle",
  "due",
  "inflight",
  "unknown",
  "parked",
  "dead",
] as const satisfies readonly DeliveryState[];
export const deadLetterStates = ["waiting", "retried", "discarded"] as const satisfies readonly DeadLetterState[];
