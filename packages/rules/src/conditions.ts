import type { Condition } from "@winnow/contracts";
import { nearest, type PathPart, type RuleFinding } from "@winnow/platform";
import { alertFieldHint, alertReader, closedFields, routeFieldHint, routeReader } from "./fields.ts";
import { re2Engine } from "./regex.ts";
import type { MatchValue } from "./schema.ts";

/** Collects what is wrong and what is odd, each with its place. */
export interface Findings {
  readonly errors: RuleFinding[];
  readonly warnings: RuleFinding[];
}

/** What a match may look at: alerts in rules, incidents in routes. */
export interface FieldSpace {
  isKnown(field: string): boolean;
  hint(field: string): string;
}

export const alertSpace: FieldSpace = { isKnown: (field) => alertReader(field) !== null, hint: alertFieldHint };
export const routeSpace: FieldSpace = { isKnown: (field) => routeReader(field) !== null, hint: routeFieldHint };

/** Reads a `match` mapping into conditions, in the order in which they are written. */
export function readMatch(
  match: Readonly<Record<string, MatchValue>>,
  at: { readonly space: FieldSpace; readonly path: readonly PathPart[]; readonly findings: Findings },
): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const [field, value] of Object.entries(match)) {
    const path = [...at.path, field];
    if (!at.space.isKnown(field)) {
      const message = `unknown field ${JSON.stringify(field)}`;
      at.findings.errors.push({ path, at: "key", code: "unknown_key", message, hint: at.space.hint(field) });
      continue;
    }
    const condition = readCondition(field, value);
    judge(condition, path, at.findings);
    conditions.push(condition);
  }
  return conditions;
}

function readCondition(field: string, value: MatchValue): Condition {
  if (typeof value === "string") return { field, op: "eq", negate: false, values: [value] };
  if (Array.isArray(value)) return { field, op: "in", negate: false, values: value };
  const test = value;
  if (test.not !== undefined) {
    const inner = readCondition(field, test.not);
    return { ...inner, negate: !inner.negate };
  }
  if (test.glob !== undefined) return { field, op: "glob", negate: false, values: [test.glob] };
  if (test.re !== undefined) return { field, op: "re", negate: false, values: [test.re] };
  return { field, op: "exists", negate: test.exists === false, values: [] };
}

function judge(condition: Condition, path: readonly PathPart[], findings: Findings): void {
  const { field, op, values } = condition;
  const words = closedFields[field];
  if (words !== undefined && (op === "eq" || op === "in")) {
    for (const value of values.filter((one) => !words.includes(one))) {
      const near = nearest(value, words);
      findings.errors.push({
        path,
        code: "bad_value",
        message: `${field} is one of ${words.join(", ")}, never ${JSON.stringify(value)}`,
        hint: near === null ? null : `did you mean "${near}"?`,
      });
    }
  }
  if (op === "re") judgePattern(values[0] ?? "", path, findings);
}

function judgePattern(pattern: string, path: readonly PathPart[], findings: Findings): void {
  const compiled = re2Engine.compile(pattern);
  if (!compiled.ok) {
    findings.errors.push({ path, code: "bad_pattern", message: compiled.message, hint: compiled.hint });
    return;
  }
  if (pattern.startsWith("^") && !pattern.endsWith("$") && !pattern.endsWith(".*")) {
    findings.warnings.push({
      path,
      code: "suspicious",
      message: "the pattern must match the whole value, not only its start",
      hint: `add .* where more may follow: "${pattern}.*"`,
    });
  }
}
