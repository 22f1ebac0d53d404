import { type Static, Type } from "typebox";
import { AlertFacts, AlertFlags } from "./alert-event.ts";
import { Reason } from "./reason.ts";
import { EpochMs, ResolveReason, Severity } from "./vocabulary.ts";

const closed = { additionalProperties: false } as const;

export const Episode = Type.Object({ id: Type.String(), started_ms: EpochMs }, closed);
export type Episode = Static<typeof Episode>;

/** A change of an alert that matters: the output of stage A, the input of stage B. */
export const Transition = Type.Object(
  {
    type: Type.Literal("transition"),
    change: Type.Enum(["fired", "resolved", "severity_changed", "flags_changed", "commented", "stale"]),
    /** True on exactly one of the transitions that an accepted event causes; timers never settle. */
    settles: Type.Boolean(),
    event_id: Type.Optional(Type.String()),
    fingerprint: Type.String(),
    episode: Episode,
    /** A's clock when it decided. */
    at_ms: EpochMs,
    /** The source's own time of the change, where it said one. */
    occurred_ms: Type.Optional(EpochMs),
    severity: Severity,
    flags: Type.Optional(AlertFlags),
    resolve_reason: Type.Optional(ResolveReason),
    comment: Type.Optional(Type.String()),
    actor: Type.Optional(Type.String()),
    alert: AlertFacts,
    reason: Reason,
  },
  closed,
);
export type Transition = Static<typeof Transition> & { reason: Reason };

/** An input that could not be decided, passed down until the incident store keeps it. */
export const DeadLetterNote = Type.Object(
  {
    type: Type.Literal("dead_letter"),
    id: Type.String(),
    received_ms: EpochMs,
    integration: Type.String(),
    reason: Type.Object({ code: Type.String(), text: Type.String() }, closed),
    /** The bytes as received (secrets removed), or the JSON text of the record that failed. */
    raw_base64: Type.String(),
    bytes: Type.Integer(),
    sha256: Type.String(),
    content_type: Type.Optional(Type.String()),
  },
  closed,
);
export type DeadLetterNote = Static<typeof DeadLetterNote>;

/** What people do, as a record in the log of the incident's scope. */
export const ActionRecord = Type.Object(
  {
    type: Type.Literal("action"),
    action_id: Type.String(),
    incident_id: Type.String(),
    action: Type.Enum(["ack", "resolve", "note"]),
    actor: Type.String(),
    text: Type.String(),
    at_ms: EpochMs,
  },
  closed,
);
export type ActionRecord = Static<typeof ActionRecord>;

/** A decision of a person about a dead letter, also a record. */
export const DeadLetterAction = Type.Object(
  {
    type: Type.Literal("dead_letter_action"),
    id: Type.String(),
    action: Type.Enum(["retry", "discard"]),
    actor: Type.String(),
    at_ms: EpochMs,
  },
  closed,
);
export type DeadLetterAction = Static<typeof DeadLetterAction>;
