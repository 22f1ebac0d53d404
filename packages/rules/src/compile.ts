import {
  type AlertFacts,
  type Condition,
  catchAllRuleId,
  type Rule,
  type RuleSet,
  type WhyNot,
} from "@winnow/contracts";
import type { CompiledRuleSet, RouteFacts, RuleMatch } from "@winnow/core";
import { WinnowError } from "@winnow/platform";
import type { Hash } from "@winnow/ports";
import { compileCondition, type FactTest } from "./condition-test.ts";
import { ruleSetDigest } from "./digest.ts";
import { alertReader, routeReader } from "./fields.ts";
import { compileGrouping, type Grouping } from "./group-key.ts";
import { type RegexEngine, re2Engine } from "./regex.ts";
import { RuleIndex } from "./rule-index.ts";
import { conditionFailed, groupingFailed, stageFailed } from "./why-not.ts";

export interface CompileOptions {
  readonly hash: Hash;
  /** RE2 in plain JavaScript where none is given. */
  readonly regex?: RegexEngine;
}

/**
 * Compiles a checked rule set for the engine: closures behind an equality index.
 * Throws WinnowError `config_invalid` for a set that the rule reader would have refused, such as one without catch-all.
 */
export function compileRuleSet(set: RuleSet, options: CompileOptions): CompiledRuleSet {
  const regex = options.regex ?? re2Engine;
  const last = set.rules.at(-1);
  if (last === undefined || last.id !== catchAllRuleId || last.match.length > 0 || last.stage !== "live") {
    throw new WinnowError("config_invalid", `the last rule of a set is "${catchAllRuleId}" and takes every alert`);
  }
  const active = set.rules.flatMap((rule, position) => (rule.stage === "off" ? [] : [{ position, rule }]));
  const index = new RuleIndex(active);
  const parts = new SharedParts(regex);
  const entries = set.rules.map((rule, position) => compileRule(rule, parts, index.filedUnder(position)));
  const routes = set.routes.map((route) => ({ route, tests: compileRoute(route.match, regex) }));
  return {
    digest: ruleSetDigest(set, options.hash),
    set,
    match: (facts) => firstMatch(facts, entries, index),
    whyNot: (facts) => whyNot(facts, entries),
    routes: (facts) => {
      const names = new Set<string>();
      for (const { route, tests } of routes) {
        if (!tests.every((test) => test(facts))) continue;
        for (const name of route.to) names.add(name);
        if (!route.continue) break;
      }
      return [...names];
    },
  };
}

interface Entry {
  readonly rule: Rule;
  /** In the order of the rule, for explanations. */
  readonly conditions: readonly { readonly condition: Condition; readonly test: FactTest<AlertFacts> }[];
  /** What is left to test once the index has named the rule. */
  readonly tests: readonly FactTest<AlertFacts>[];
  readonly group: Grouping;
}

/**
 * Compiles equal conditions and equal groupings once: the rules of a set share most of theirs, and what is shared
 * stays in the processor's cache.
 */
class SharedParts {
  readonly #regex: RegexEngine;
  readonly #tests = new Map<string, FactTest<AlertFacts>>();
  readonly #groupings = new Map<string, Grouping>();

  constructor(regex: RegexEngine) {
    this.#regex = regex;
  }

  test(condition: Condition): FactTest<AlertFacts> {
    const key = JSON.stringify(condition);
    const test = this.#tests.get(key) ?? compileCondition(condition, { reader: alertReader, regex: this.#regex });
    this.#tests.set(key, test);
    return test;
  }

  grouping({ group_by, on_missing }: Rule): Grouping {
    const key = JSON.stringify([group_by, on_missing]);
    const grouping = this.#groupings.get(key) ?? compileGrouping({ group_by, on_missing });
    this.#groupings.set(key, grouping);
    return grouping;
  }
}

function compileRule(rule: Rule, parts: SharedParts, filedUnder: Condition | undefined): Entry {
  const conditions = rule.match.map((condition) => ({ condition, test: parts.test(condition) }));
  const tests = conditions.filter(({ condition }) => condition !== filedUnder).map(({ test }) => test);
  return { rule, conditions, tests, group: parts.grouping(rule) };
}

function compileRoute(match: readonly Condition[], regex: RegexEngine): readonly FactTest<RouteFacts>[] {
  return match.map((condition) => compileCondition(condition, { reader: routeReader, regex }));
}

function holds(entry: Entry, facts: AlertFacts): boolean {
  for (const test of entry.tests) if (!test(facts)) return false;
  return true;
}

function firstMatch(facts: AlertFacts, entries: readonly Entry[], index: RuleIndex): RuleMatch {
  const shadow: RuleMatch[] = [];
  const candidates = index.candidates(facts);
  for (let position = candidates.next(); position >= 0; position = candidates.next()) {
    const entry = entries[position];
    if (entry === undefined || !holds(entry, facts)) continue;
    const group = entry.group(facts);
    if (group === null) continue;
    const { rule } = entry;
    const { groupKey, missing } = group;
    if (rule.stage !== "live") shadow.push({ rule, groupKey, missing });
    else return shadow.length === 0 ? { rule, groupKey, missing } : { rule, groupKey, missing, shadow };
  }
  throw new WinnowError("config_invalid", "no rule took the alert: the catch-all is missing");
}

function whyNot(facts: AlertFacts, entries: readonly Entry[]): readonly WhyNot[] {
  const reasons: WhyNot[] = [];
  for (const entry of entries) {
    const reason = refusal(facts, entry);
    if (reason === null) break;
    reasons.push(reason);
  }
  return reasons;
}

/** Why the rule does not take the alert, or null when it does. */
function refusal(facts: AlertFacts, entry: Entry): WhyNot | null {
  const { rule } = entry;
  const failing = entry.conditions.find(({ test }) => !test(facts));
  if (failing !== undefined) return conditionFailed(rule, failing.condition, facts);
  if (entry.group(facts) === null) {
    const missing = compileGrouping({ ...rule, on_missing: "shared" })(facts)?.missing ?? [];
    return groupingFailed(rule, missing[0] ?? "");
  }
  return rule.stage === "live" ? null : stageFailed(rule);
}
