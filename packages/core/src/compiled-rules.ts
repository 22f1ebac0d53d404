import type { AlertFacts, KeyPart, Rule, RuleSet, WhyNot } from "@winnow/contracts";

/** A rule that takes an alert, and the group it puts it into. */
export interface RuleMatch {
  readonly rule: Rule;
  /** One part per `group_by` field, in the rule's order. */
  readonly groupKey: readonly KeyPart[];
  /** The `group_by` fields that the alert does not have; `on_missing` decided what stands in their place. */
  readonly missing: readonly string[];
  /** Shadow rules before this one that would have taken the alert, in order; absent when there are none. */
  readonly shadow?: readonly RuleMatch[];
}

/** What the route tree may look at; null = the incident has no such value. */
export interface RouteFacts {
  readonly priority: string | null;
  readonly severity: string | null;
  readonly service: string | null;
  readonly environment: string | null;
  readonly category: string | null;
  readonly assignment_group: string | null;
  readonly rule_id: string | null;
  readonly title: string | null;
}

/** A rule set ready to decide. Pure: the same facts give the same answer, and no call takes more than linear time. */
export interface CompiledRuleSet {
  /** SHA-256 of the canonical JSON of `set`, 64 hex digits. */
  readonly digest: string;
  readonly set: RuleSet;
  /** The first rule that takes the alert; the catch-all takes what no other rule took. */
  match(facts: AlertFacts): RuleMatch;
  /** The rules before the match, in order, each with the first of its conditions that failed. */
  whyNot(facts: AlertFacts): readonly WhyNot[];
  /** Destinations of an incident, without repeats, in the order of the routes; empty when no route fits. */
  routes(facts: RouteFacts): readonly string[];
}
