import type { AlertFacts, Condition, KeyPart, Rule, RuleSet, WhyNot } from "@winnow/contracts";
import type { RuleMatch } from "@winnow/core";
import { RE2JS } from "re2js";
import { alertReader, valuesOf } from "./fields.ts";
import { seen } from "./regex.ts";
import { conditionFailed, groupingFailed, stageFailed } from "./why-not.ts";

/**
 * Says what the compiled rule set must answer, in the plainest way: every rule in order, every condition in order,
 * nothing compiled, indexed or cut short. It is the oracle of the compiled one, and slow.
 */
export function matchNaively(set: RuleSet, facts: AlertFacts): { match: RuleMatch; whyNot: readonly WhyNot[] } {
  const whyNot: WhyNot[] = [];
  const shadow: RuleMatch[] = [];
  for (const rule of set.rules) {
    const failing = rule.match.find((condition) => !holds(condition, facts));
    const match = place(rule, facts);
    if (failing !== undefined) whyNot.push(conditionFailed(rule, failing, facts));
    else if (rule.on_missing === "skip" && match.missing.length > 0) {
      whyNot.push(groupingFailed(rule, match.missing[0] ?? ""));
    } else if (rule.stage === "live") {
      return { match: shadow.length === 0 ? match : { ...match, shadow }, whyNot };
    } else {
      whyNot.push(stageFailed(rule));
      if (rule.stage === "shadow") shadow.push(match);
    }
  }
  throw new Error("the rule set has no catch-all");
}

function read(field: string, facts: AlertFacts): readonly string[] {
  const reader = alertReader(field);
  if (reader === null) throw new Error(`unknown field ${field}`);
  return valuesOf(reader, facts);
}

function holds(condition: Condition, facts: AlertFacts): boolean {
  return read(condition.field, facts).some((value) => fits(condition, value)) !== condition.negate;
}

function fits({ op, values }: Condition, value: string): boolean {
  const [first = ""] = values;
  if (op === "exists") return true;
  if (op === "glob") return globFits(Array.from(first), Array.from(seen(value)));
  if (op === "re") return RE2JS.compile(first, RE2JS.DOTALL).matches(seen(value));
  return values.includes(value);
}

/** Row by row: which prefixes of the text the glob so far can match. */
function globFits(glob: readonly string[], text: readonly string[]): boolean {
  let row = [true, ...text.map(() => false)];
  for (let index = 0; index < glob.length; index += 1) {
    let character = glob[index] ?? "";
    const isEscape = character === "\\" && index + 1 < glob.length;
    if (isEscape) {
      index += 1;
      character = glob[index] ?? "";
    }
    if (character === "*" && !isEscape) {
      const first = row.indexOf(true);
      row = row.map((_, position) => first >= 0 && position >= first);
    } else {
      const isAny = character === "?" && !isEscape;
      row = row.map((_, at) => at > 0 && row[at - 1] === true && (isAny || text[at - 1] === character));
    }
  }
  return row[text.length] === true;
}

function place(rule: Rule, facts: AlertFacts): RuleMatch {
  const missing = rule.group_by.filter((field) => read(field, facts).length === 0);
  const groupKey = rule.group_by.map((field): KeyPart => {
    const values = [...new Set(read(field, facts))].toSorted();
    if (values.length > 1) return { k: field, v: JSON.stringify(values) };
    return { k: field, v: values[0] ?? (rule.on_missing === "separate" ? facts.fingerprint : "") };
  });
  return { rule, groupKey, missing };
}
