import type { AlertFacts, KeyPart, Rule } from "@winnow/contracts";
import { type FieldPath, fieldValues, parseField, type RuleMatch } from "@winnow/core";

/** What a rule says about grouping. */
export type GroupSettings = Pick<Rule, "group_by" | "on_missing">;

/** The group of an alert; null when a field is missing and the rule then does not apply. */
export type Grouping = (facts: AlertFacts) => Pick<RuleMatch, "groupKey" | "missing"> | null;

/** Compiles a rule's grouping. A field with several values counts as the sorted list of them, written as JSON. */
export function compileGrouping(settings: GroupSettings): Grouping {
  const paths = settings.group_by.map((field) => ({ field, path: parseField(field) }));
  const { on_missing: onMissing } = settings;
  return (facts) => {
    const groupKey: KeyPart[] = [];
    const missing: string[] = [];
    for (const { field, path } of paths) {
      const value = keyValue(facts, path);
      if (value === null) missing.push(field);
      groupKey.push({ k: field, v: value ?? (onMissing === "separate" ? facts.fingerprint : "") });
    }
    return missing.length > 0 && onMissing === "skip" ? null : { groupKey, missing };
  };
}

function keyValue(facts: AlertFacts, path: FieldPath | null): string | null {
  const values = path === null ? [] : fieldValues(facts, path);
  const [first] = values;
  if (first === undefined || values.length === 1) return first ?? null;
  const distinct = [...new Set(values)].toSorted();
  return distinct.length === 1 ? first : JSON.stringify(distinct);
}
