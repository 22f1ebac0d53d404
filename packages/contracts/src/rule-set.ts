import type { Level, Priority, Severity } from "./vocabulary.ts";

/** One test of one field. `field` is a path such as `service` or `labels.team`. */
export interface Condition {
  readonly field: string;
  readonly op: "eq" | "in" | "glob" | "re" | "exists";
  readonly negate: boolean;
  /** Values compared with; one for eq, glob and re, none for exists. Several values of a field: any may fit. */
  readonly values: readonly string[];
}

/** How long a group takes alerts. Times in ms; null = without limit. */
export interface WindowSettings {
  /** fixed: `length_ms` after opening; rolling: `gap_ms` after the last event; until_resolved: while it is open. */
  readonly type: "fixed" | "rolling" | "until_resolved";
  readonly length_ms: number | null;
  readonly gap_ms: number | null;
  readonly max_age_ms: number;
  readonly max_alerts: number;
  readonly reopen_ms: number;
}

export interface IncidentTemplate {
  readonly title: string;
  readonly category: string | null;
  readonly service: string | null;
  readonly impact: Level | null;
  readonly urgency: Level | null;
  readonly assignment_group: string | null;
  readonly contact: string | null;
}

/** A checked correlation rule, every default filled in. */
export interface Rule {
  readonly id: string;
  readonly stage: "off" | "shadow" | "live";
  readonly match: readonly Condition[];
  readonly group_by: readonly string[];
  readonly on_missing: "separate" | "skip" | "shared";
  readonly window: WindowSettings;
  readonly min_alerts: number;
  readonly hold_ms: Readonly<Record<Priority, number>>;
  readonly resolve_delay_ms: number;
  readonly incident: IncidentTemplate;
}

export interface Route {
  readonly match: readonly Condition[];
  readonly to: readonly string[];
  /** Go on to the next route after a match. */
  readonly continue: boolean;
}

/** The whole checked rule set: what `digest` is the digest of (SHA-256 of its canonical JSON). */
export interface RuleSet {
  readonly version: 1;
  readonly rules: readonly Rule[];
  readonly matrix: Readonly<Record<Level, Readonly<Record<Level, Priority>>>>;
  readonly urgency_by_severity: Readonly<Record<Severity, Level>>;
  readonly routes: readonly Route[];
}

/** Id of the rule that always exists and takes what no other rule took. */
export const catchAllRuleId = "catch-all";
