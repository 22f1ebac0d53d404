import { catchAllRuleId, type Priority, type Rule } from "@winnow/contracts";

const minuteMs = 60_000;

const window = {
  type: "until_resolved",
  length_ms: null,
  gap_ms: null,
  max_age_ms: 240 * minuteMs,
  max_alerts: 1_000,
  reopen_ms: 60 * minuteMs,
} as const;

const incident = {
  title: "{{title}}",
  category: null,
  service: null,
  impact: null,
  urgency: null,
  assignment_group: null,
  contact: null,
} as const;

/** P1 at once, the rest after `ms`. */
function holdFor(ms: number): Readonly<Record<Priority, number>> {
  return { P1: 0, P2: ms, P3: ms, P4: ms, P5: ms };
}

/**
 * The last rule of every rule set: it takes what no other rule took, so that every alert has a defined fate.
 * One incident per service; an alert without a service gets its own.
 */
export const catchAllRule: Rule = {
  id: catchAllRuleId,
  stage: "live",
  match: [],
  group_by: ["service"],
  on_missing: "separate",
  window,
  min_alerts: 1,
  hold_ms: holdFor(minuteMs),
  resolve_delay_ms: 0,
  incident,
};

/** The rules where the configuration has none: one incident per service, tickets after 10 s, P1 at once. */
export const defaultRules: readonly Rule[] = [{ ...catchAllRule, id: "per-service", hold_ms: holdFor(10_000) }];
