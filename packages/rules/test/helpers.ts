import { hash } from "node:crypto";
import type { AlertFacts, Rule, RuleSet } from "@winnow/contracts";
import type { CompiledRuleSet } from "@winnow/core";
import { formatErrors } from "@winnow/platform";
import { catchAllRule, compileRuleSet, parseRules } from "@winnow/rules";

export const sha256 = (text: string): string => hash("sha256", text);

export function facts(more: Partial<AlertFacts> = {}): AlertFacts {
  return {
    tenant: "default",
    scope: "default",
    source: "alertmanager",
    integration: "prom",
    fingerprint: "f".repeat(32),
    severity: "critical",
    title: "Disk full",
    dedup_key: "d",
    identity: [],
    labels: {},
    annotations: {},
    links: [],
    ...more,
  };
}

/** The rule set of a YAML text that must be right. */
export function ruleSetOf(yaml: string): RuleSet {
  const parsed = parseRules(yaml, "rules.yaml");
  if (!parsed.ok) throw new Error(formatErrors(parsed.errors, yaml));
  return parsed.ruleSet;
}

export function compiled(yaml: string): CompiledRuleSet {
  return compileRuleSet(ruleSetOf(yaml), { hash: sha256 });
}

/** A rule set of rules made by hand; what is not said is as in the catch-all. */
export function setOf(rules: readonly (Partial<Rule> & { readonly id: string })[]): RuleSet {
  const { matrix, urgency_by_severity } = ruleSetOf("");
  const whole = rules.map((rule): Rule => ({ ...catchAllRule, ...rule }));
  return { version: 1, rules: [...whole, catchAllRule], matrix, urgency_by_severity, routes: [] };
}
