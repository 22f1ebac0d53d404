import type { CompiledRuleSet } from "@winnow/core";
import { formatErrors } from "@winnow/platform";
import { compileRuleSet, parseRules } from "@winnow/rules";
import { testHash } from "@winnow/testkit";

/** A compiled rule set from YAML that must be right. */
export function rulesOf(yaml: string): CompiledRuleSet {
  const parsed = parseRules(yaml, "rules.yaml");
  if (!parsed.ok) throw new Error(formatErrors(parsed.errors, yaml));
  return compileRuleSet(parsed.ruleSet, { hash: testHash });
}

export const perService = `
rules:
  - id: per-service
    group_by: [service]
    window: { type: until_resolved, max_age: 4h, max_alerts: 100, reopen: 10m }
    hold: 0s
    incident: { title: "{{service}}: {{title}}", impact: medium, category: software, assignment_group: platform }
routes:
  - match: { priority: [P1, P2, P3, P4] }
    to: [snow]
`;

export const second = 1_000;
export const minute = 60 * second;
