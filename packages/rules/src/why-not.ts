import type { AlertFacts, Condition, Rule, WhyNot } from "@winnow/contracts";
import { alertReader, valuesOf } from "./fields.ts";

/** Longest text of one explanation's part. */
const shownMax = 200;

/** Says that a condition failed: the condition as in YAML, what it wanted, what the alert has. */
export function conditionFailed(rule: Rule, condition: Condition, facts: AlertFacts): WhyNot {
  const reader = alertReader(condition.field);
  const values = reader === null ? [] : valuesOf(reader, facts);
  return {
    rule_id: rule.id,
    condition: clip(`${condition.field}: ${conditionText(condition)}`),
    expected: clip(expectation(condition)),
    actual: values.length === 0 ? absent : clip(values.join(", ")),
  };
}

/** Says that the rule fits but takes no alerts. */
export function stageFailed(rule: Rule): WhyNot {
  return { rule_id: rule.id, condition: `stage: ${rule.stage}`, expected: "live", actual: rule.stage };
}

/** Says that the rule fits but skips alerts without a field of its group key. */
export function groupingFailed(rule: Rule, field: string): WhyNot {
  return { rule_id: rule.id, condition: `group_by: ${field}`, expected: "present (on_missing: skip)", actual: absent };
}

const absent = "(absent)";

function conditionText(condition: Condition): string {
  const { op, values, negate } = condition;
  if (op === "exists") return `{ exists: ${!negate} }`;
  const plain = op === "eq" ? (values[0] ?? "") : op === "in" ? `[${values.join(", ")}]` : `{ ${op}: ${values[0]} }`;
  return negate ? `{ not: ${plain} }` : plain;
}

function expectation(condition: Condition): string {
  const { op, values, negate } = condition;
  const not = negate ? "not " : "";
  switch (op) {
    case "exists":
      return negate ? "absent" : "present";
    case "eq":
      return `${not}${values[0]}`;
    case "in":
      return `${negate ? "none" : "one"} of ${values.join(", ")}`;
    case "glob":
      return `${not}like ${values[0]}`;
    case "re":
      return `${not}matching ${values[0]}`;
  }
}

function clip(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax - 1)}…` : text;
}
