import { type Static, Type } from "typebox";
import { nullable } from "./vocabulary.ts";

/** Every reason that a decision can give, with the sentence that people read. */
export const reasonTexts = {
  // A: dedup
  episode_opened: "A new episode began: the alert was not firing before",
  episode_superseded: "A newer episode began while the old one was still open; the old one's resolve was missed",
  severity_changed: "The severity of a firing alert changed",
  flags_changed: "The sender changed a flag of the alert",
  commented: "The sender added a comment",
  condition_cleared: "The sender says that the condition has cleared",
  expired: "Not refreshed before its expiry, though its integration went on delivering",
  went_stale: "Not refreshed before its expiry; silence is not health, so it stays open",
  repeat: "The same state of the same episode was reported again",
  older_than_state: "It describes a time before what is already known of this alert",
  resolve_without_open: "A resolve for an alert that was not open",
  not_open: "It speaks of an alert that is not open",
  not_an_alert: "Heartbeats, tests, changes and handshakes open no incident",
  undecodable: "The body could not be mapped to an alert",
  poison: "Deciding about this event failed; it was set aside with its reason",
  // B: correlation
  rule_opened: "First alert of its group: the rule opened an incident",
  rule_joined: "Joined the open incident of the same rule and group key",
  rule_reopened: "The alert came back inside the reopen time of its incident",
  below_min_alerts: "The group has fewer alerts than the rule's min_alerts",
  threshold_reached: "The group reached the rule's min_alerts",
  member_updated: "A member alert of the incident changed",
  member_resolved: "A member alert of the incident resolved",
  member_moved: "The alert went on to a newer incident",
  member_of_closed: "The alert's incident is already over",
  released: "The hold time is over and the incident still fires",
  self_healed: "Everything resolved before the hold time was over; no ticket was opened",
  all_resolved: "The last firing member resolved and stayed so for the resolve delay",
  person_acknowledged: "A person acknowledged the incident",
  person_resolved: "A person resolved the incident",
  person_noted: "A person wrote a note",
  action_refused: "The action does not fit the incident's state",
  priority_changed: "Impact or urgency changed the priority",
  // C: record, routing, delivery
  routed: "The route tree chose this destination",
  no_route: "No route matched; the incident is recorded without a ticket",
  ticket_created: "The ticket was created",
  ticket_adopted: "A lookup found the ticket of an earlier attempt",
  ticket_updated: "The ticket was brought up to date",
  ticket_resolved: "The ticket was resolved",
  ticket_reopened: "The ticket was opened again",
  ticket_succeeded: "The old ticket is closed for good; a linked successor was created",
  delivery_failed: "The destination refused the delivery",
  delivery_unknown: "The destination's answer was lost; the ticket is looked up before anything is repeated",
  dry_run: "The destination is in dry_run: nothing was sent",
} as const;

export type ReasonCode = keyof typeof reasonTexts;
export const reasonCodes = Object.keys(reasonTexts) as ReasonCode[];

/** Small, display-ready values that a decision was made on. */
export const Evidence = Type.Record(
  Type.String(),
  Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]),
);
export type Evidence = Static<typeof Evidence>;

/** Why something was decided: stored with the decision. */
export const Reason = Type.Object(
  {
    code: Type.Enum(reasonCodes),
    text: Type.String(),
    rule_id: Type.Optional(Type.String()),
    rule_digest: Type.Optional(Type.String()),
    evidence: Type.Optional(Evidence),
  },
  { additionalProperties: false },
);
export type Reason = Omit<Static<typeof Reason>, "code"> & { code: ReasonCode };

/** A reason as the API shows it: what is absent is null. */
export const ShownReason = Type.Object(
  {
    code: Type.Enum(reasonCodes),
    text: Type.String(),
    rule_id: nullable(Type.String()),
    rule_digest: nullable(Type.String()),
    evidence: nullable(Evidence),
  },
  { additionalProperties: false },
);
export type ShownReason = Omit<Static<typeof ShownReason>, "code"> & { code: ReasonCode };

export function showReason({ code, text, rule_id, rule_digest, evidence }: Reason): ShownReason {
  return { code, text, rule_id: rule_id ?? null, rule_digest: rule_digest ?? null, evidence: evidence ?? null };
}

/** A reason with its standard sentence. */
export function reason(code: ReasonCode, evidence?: Evidence, rule?: { id: string; digest: string }): Reason {
  return {
    code,
    text: reasonTexts[code],
    ...(rule === undefined ? {} : { rule_id: rule.id, rule_digest: rule.digest }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}
