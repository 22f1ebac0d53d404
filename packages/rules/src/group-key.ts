import type { AlertFacts, KeyPart, Rule } from "@winnow/contracts";
import { type FieldPath, fieldValues, parseField, type RuleMatch } from "@winnow/core";

/**
 * Compiles a rule's grouping. The result is null when a field is missing and the rule then does not apply.
 * A field with several values counts as the sorted list of them, written as JSON.
 */
export function compileGrouping(rule: Rule): (facts: AlertFacts) => RuleMatch | null {
  const paths = rule.group_by.map((field) => ({ field, path: parseField(field) }));
  return (facts) => {
    const groupKey: KeyPart[] = [];
    const missing: string[] = [];
    for (const { field, path } of paths) {
      const value = keyValue(facts, path);
      if (value === null) missing.push(field);
      groupKey.push({ k: field, v: value ?? (rule.on_missing === "separate" ? facts.fingerprint : "") });
    }
    return missing.length > 0 && rule.on_missing === "skip" ? null : { rule, groupKey, missing };
  };
}

function keyValue(facts: AlertFacts, path: FieldPath | null): string | null {
  const values = path === null ? [] : fieldValues(facts, path);
  const [first] = values;
  if (first === undefined || values.length === 1) return first ?? null;
  const distinct = [...new Set(values)].toSorted();
  return distinct.length === 1 ? first : JSON.stringify(distinct);
}
