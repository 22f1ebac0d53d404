import {
  type Condition,
  catchAllRuleId,
  type Priority,
  type Route,
  type Rule,
  type RuleSet,
  type WindowSettings,
} from "@winnow/contracts";
import { hasStrayBraces, isRecipePart, templateFields } from "@winnow/core";
import { nearest, type PathPart, type RuleFinding, type RuleInput, type RuleLanguage, suggest } from "@winnow/platform";
import { alertSpace, type Findings, readMatch, routeSpace } from "./conditions.ts";
import { catchAllRule, defaultRules } from "./defaults.ts";
import { alertFieldHint, alertReader } from "./fields.ts";
import { type PriorityYaml, prioritySchema, type RouteYaml, type RuleYaml, routeSchema, ruleSchema } from "./schema.ts";

/** Reads the rule part of a configuration; hand it to `loadConfig`. */
export const ruleLanguage: RuleLanguage = {
  schemas: { rule: ruleSchema, route: routeSchema, priority: prioritySchema },
  read: readRules,
  isIdentityPart: isRecipePart,
};

/**
 * Turns checked YAML into the rule set, the catch-all last. Without rules the default ones hold, without routes one
 * that sends everything to every destination.
 */
function readRules(input: RuleInput): { ruleSet: RuleSet; errors: RuleFinding[]; warnings: RuleFinding[] } {
  const findings: Findings = { errors: [], warnings: [] };
  const written = input.rules as readonly RuleYaml[] | null;
  const rules =
    written === null ? defaultRules : written.map((rule, index) => readRule(rule, ["rules", index], findings));
  judgeOrder(rules, findings);
  for (const [index, rule] of rules.entries()) judgeNames(rule.match, index, { input, findings });
  const routes = readRoutes(input, findings);
  const { matrix, urgency } = input.priority as PriorityYaml;
  const ruleSet: RuleSet = {
    version: 1,
    rules: [...rules, catchAllRule],
    matrix,
    urgency_by_severity: urgency,
    routes,
  };
  return { ruleSet, ...findings };
}

function readRule(yaml: RuleYaml, path: readonly PathPart[], findings: Findings): Rule {
  judgeGroupBy(yaml.group_by, [...path, "group_by"], findings);
  judgeTitle(yaml.incident.title, [...path, "incident", "title"], findings);
  const { title, category, service, impact, urgency, assignment_group, contact } = yaml.incident;
  return {
    id: yaml.id,
    stage: yaml.stage,
    match: readMatch(yaml.match, { space: alertSpace, path: [...path, "match"], findings }),
    group_by: yaml.group_by,
    on_missing: yaml.on_missing,
    window: readWindow(yaml.window, [...path, "window"], findings),
    min_alerts: yaml.min_alerts,
    hold_ms: readHold(yaml.hold),
    resolve_delay_ms: yaml.resolve_delay,
    incident: {
      title,
      category: category ?? null,
      service: service ?? null,
      impact: impact ?? null,
      urgency: urgency ?? null,
      assignment_group: assignment_group ?? null,
      contact: contact ?? null,
    },
  };
}

function readHold(hold: RuleYaml["hold"]): Readonly<Record<Priority, number>> {
  const of = (priority: Priority): number => (typeof hold === "number" ? hold : (hold[priority] ?? hold.default));
  return { P1: of("P1"), P2: of("P2"), P3: of("P3"), P4: of("P4"), P5: of("P5") };
}

function readWindow(yaml: RuleYaml["window"], path: readonly PathPart[], findings: Findings): WindowSettings {
  const wanted = { fixed: "length", rolling: "gap", until_resolved: null }[yaml.type];
  for (const key of ["length", "gap"] as const) {
    if (key === wanted && yaml[key] === undefined) {
      const message = `a ${yaml.type} window needs "${key}"`;
      findings.errors.push({ path, code: "missing_key", message, hint: `add ${key}: 5m` });
    }
    if (key !== wanted && yaml[key] !== undefined) {
      const message = `"${key}" means nothing in a window of type ${yaml.type}`;
      const hint = `it belongs to type: ${key === "length" ? "fixed" : "rolling"}`;
      findings.errors.push({ path: [...path, key], at: "key", code: "conflict", message, hint });
    }
  }
  return {
    type: yaml.type,
    length_ms: yaml.length ?? null,
    gap_ms: yaml.gap ?? null,
    max_age_ms: yaml.max_age,
    max_alerts: yaml.max_alerts,
    reopen_ms: yaml.reopen,
  };
}

function judgeGroupBy(fields: readonly string[], path: readonly PathPart[], findings: Findings): void {
  for (const [index, field] of fields.entries()) {
    if (alertReader(field) === null) {
      const message = `unknown field ${JSON.stringify(field)}`;
      findings.errors.push({ path: [...path, index], code: "unknown_key", message, hint: alertFieldHint(field) });
    } else if (fields.indexOf(field) !== index) {
      const message = `${JSON.stringify(field)} stands here twice`;
      findings.errors.push({ path: [...path, index], code: "duplicate_key", message });
    }
  }
}

function judgeTitle(title: string, path: readonly PathPart[], findings: Findings): void {
  for (const field of templateFields(title)) {
    if (alertReader(field) !== null) continue;
    const message = `unknown field ${JSON.stringify(field)} in the title`;
    findings.errors.push({ path, code: "unknown_key", message, hint: alertFieldHint(field) });
  }
  if (hasStrayBraces(title)) {
    findings.errors.push({
      path,
      code: "bad_value",
      message: "braces that close no {{field}}",
      hint: "write {{service}}",
    });
  }
}

function judgeOrder(rules: readonly Rule[], findings: Findings): void {
  const firstById = new Map<string, number>();
  let taker: Rule | null = null;
  for (const [index, rule] of rules.entries()) {
    const path = ["rules", index, "id"];
    const first = firstById.get(rule.id);
    if (rule.id === catchAllRuleId) {
      const message = `"${catchAllRuleId}" is the built-in last rule`;
      findings.errors.push({ path, code: "conflict", message, hint: "choose another id" });
    } else if (first !== undefined) {
      const message = `the id "${rule.id}" is taken by rule ${first + 1}`;
      findings.errors.push({ path, code: "conflict", message, hint: "ids are unique: choose another" });
    }
    firstById.set(rule.id, first ?? index);
    if (taker !== null && rule.stage !== "off") {
      const message = `never reached: rule "${taker.id}" before it takes every alert`;
      findings.warnings.push({ path, code: "unreachable", message, hint: `move it above "${taker.id}"` });
    }
    if (taker === null && takesAll(rule)) taker = rule;
  }
}

function takesAll(rule: Rule): boolean {
  const canSkip = rule.on_missing === "skip" && rule.group_by.length > 0;
  return rule.stage === "live" && rule.match.length === 0 && !canSkip;
}

/** Values of `source` and `integration` that nothing in this configuration can have. */
function judgeNames(
  match: readonly Condition[],
  rule: number,
  { input, findings }: { readonly input: RuleInput; readonly findings: Findings },
): void {
  const known: Readonly<Record<string, readonly string[] | null>> = {
    source: input.sourceTypes,
    integration: input.integrations,
  };
  for (const { field, op, values } of match) {
    const names = known[field] ?? null;
    if (names === null || (op !== "eq" && op !== "in")) continue;
    for (const value of values.filter((one) => !names.includes(one))) {
      const message = `no ${field} is called ${JSON.stringify(value)}`;
      const near = nearest(value, names);
      const hint = near === null ? null : `did you mean "${near}"?`;
      findings.warnings.push({ path: ["rules", rule, "match", field], code: "suspicious", message, hint });
    }
  }
}

function readRoutes(input: RuleInput, findings: Findings): readonly Route[] {
  const written = input.routes as readonly RouteYaml[] | null;
  const { destinations } = input;
  if (written === null) {
    return destinations === null || destinations.length === 0 ? [] : [{ match: [], to: destinations, continue: false }];
  }
  let taker: number | null = null;
  return written.map((route, index) => {
    const path = ["routes", index];
    for (const [position, name] of route.to.entries()) {
      if (destinations === null || destinations.includes(name)) continue;
      const message = `no destination is called ${JSON.stringify(name)}`;
      const hint = suggest(name, destinations, "destinations");
      findings.errors.push({ path: [...path, "to", position], code: "unknown_name", message, hint });
    }
    if (taker !== null) {
      const message = `never reached: route ${taker + 1} before it takes every incident`;
      findings.warnings.push({
        path,
        code: "unreachable",
        message,
        hint: "move it up, or give that one continue: true",
      });
    }
    const match = readMatch(route.match, { space: routeSpace, path: [...path, "match"], findings });
    if (taker === null && match.length === 0 && !route.continue) taker = index;
    return { match, to: route.to, continue: route.continue };
  });
}
