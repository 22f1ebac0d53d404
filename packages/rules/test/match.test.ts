import { deepStrictEqual } from "node:assert/strict";
import type { AlertFacts, Condition, Rule } from "@winnow/contracts";
import { plainAlertFields } from "@winnow/core";
import { hasCode } from "@winnow/platform";
import { compileRuleSet, matchNaively } from "@winnow/rules";
import fc from "fast-check";
import t from "tap";
import { compiled, facts, ruleSetOf, setOf, sha256 } from "./helpers.ts";

const team = `
rules:
  - { id: off, stage: "off", match: { service: db }, group_by: [] }
  - { id: dbs, match: { service: [db, cache], severity: { not: info } }, group_by: [service, labels.cluster], on_missing: shared }
  - { id: hosts, match: { host: { glob: "db-??-*" } }, group_by: [host] }
  - { id: skips, match: { source: alertmanager }, group_by: [labels.pod], on_missing: skip }
  - { id: shade, stage: shadow, match: { labels.tag: x }, group_by: [labels.tag] }
  - { id: late, match: { title: { re: "(?i)disk.*" } }, group_by: [title] }
`;

await t.test("the first live rule that fits takes the alert", async (t) => {
  const rules = compiled(team);
  const taken = (more: Partial<AlertFacts>): string => rules.match(facts(more)).rule.id;
  t.equal(taken({ service: "db" }), "dbs");
  t.equal(taken({ service: "db", severity: "info", host: "db-01-a" }), "hosts");
  t.equal(taken({ host: "db-1-a" }), "late");
  t.equal(taken({ labels: { pod: ["p"] } }), "skips");
  t.equal(taken({ title: "DISK\nfull" }), "late");
  t.equal(taken({ title: "a disk" }), "catch-all");
});

await t.test("the group key says where a missing field leads", async (t) => {
  const rules = compiled(team);
  t.match(rules.match(facts({ service: "db" })), {
    groupKey: [
      { k: "service", v: "db" },
      { k: "labels.cluster", v: "" },
    ],
    missing: ["labels.cluster"],
  });
  t.same(
    rules.match(facts({ title: "x" })).groupKey,
    [{ k: "service", v: "f".repeat(32) }],
    "separate: the alert's own",
  );
  t.same(rules.match(facts({ title: "x", service: "s" })), {
    rule: rules.set.rules.at(-1),
    groupKey: [{ k: "service", v: "s" }],
    missing: [],
  });
});

await t.test("several values of one field are one key, whatever their order", async (t) => {
  const rules = compiled("rules:\n  - { id: a, group_by: [labels.tag] }");
  const keyOf = (...tag: string[]) => rules.match(facts({ labels: { tag } })).groupKey[0]?.v;
  t.equal(keyOf("b", "a"), '["a","b"]');
  t.equal(keyOf("a", "b", "a"), '["a","b"]');
  t.equal(keyOf("a", "a"), "a");
  t.equal(keyOf("a,b"), "a,b", "and one value with a comma is another");
});

await t.test("a shadow rule takes nothing and is told beside the match", async (t) => {
  const match = compiled(team).match(facts({ labels: { tag: ["x"] } }));
  t.equal(match.rule.id, "late");
  t.same(
    match.shadow?.map(({ rule, groupKey }) => [rule.id, groupKey]),
    [["shade", [{ k: "labels.tag", v: "x" }]]],
  );
  t.notOk("shadow" in compiled(team).match(facts()));
});

await t.test("why the rules before did not take it", async (t) => {
  const rules = compiled(team);
  t.same(rules.whyNot(facts({ labels: { tag: ["x", "y"] }, title: "z" })), [
    { rule_id: "off", condition: "service: db", expected: "db", actual: "(absent)" },
    { rule_id: "dbs", condition: "service: [db, cache]", expected: "one of db, cache", actual: "(absent)" },
    { rule_id: "hosts", condition: "host: { glob: db-??-* }", expected: "like db-??-*", actual: "(absent)" },
    { rule_id: "skips", condition: "group_by: labels.pod", expected: "present (on_missing: skip)", actual: "(absent)" },
    { rule_id: "shade", condition: "stage: shadow", expected: "live", actual: "shadow" },
    { rule_id: "late", condition: "title: { re: (?i)disk.* }", expected: "matching (?i)disk.*", actual: "z" },
  ]);
  t.same(rules.whyNot(facts({ service: "db", severity: "info" })).slice(0, 2), [
    { rule_id: "off", condition: "stage: off", expected: "live", actual: "off" },
    { rule_id: "dbs", condition: "severity: { not: info }", expected: "not info", actual: "info" },
  ]);
  t.same(rules.whyNot(facts({ service: "cache" })).length, 1, "nothing after the match");
});

await t.test("routes are walked in order, on only where they say so, each destination once", async (t) => {
  const rules = compiled(`
routes:
  - { to: [all], continue: true }
  - { match: { priority: [P1, P2] }, to: [page, all] }
  - { match: { service: { glob: "db*" }, category: { exists: false } }, to: [dba] }
`);
  const none = {
    priority: null,
    severity: null,
    service: null,
    environment: null,
    category: null,
    assignment_group: null,
    rule_id: null,
    title: null,
  };
  t.same(rules.routes({ ...none, priority: "P2", service: "db" }), ["all", "page"]);
  t.same(rules.routes({ ...none, priority: "P3", service: "db" }), ["all", "dba"]);
  t.same(rules.routes({ ...none, priority: "P3", service: "db", category: "x" }), ["all"]);
  t.same(compiled("rules: []").routes(none), []);
});

await t.test("a set without its catch-all, or with a pattern that the reader refuses, is config_invalid", async (t) => {
  const good = setOf([{ id: "a" }]);
  const condition: Condition = { field: "title", op: "re", negate: false, values: ["(?=x)"] };
  const broken = [
    { ...good, rules: good.rules.slice(0, 1) },
    setOf([{ id: "a", match: [condition] }]),
    setOf([{ id: "a", match: [{ ...condition, field: "nope", op: "exists" }] }]),
    {
      ...good,
      routes: [{ match: [{ ...condition, field: "host", op: "exists" as const }], to: ["x"], continue: false }],
    },
  ];
  for (const set of broken) {
    try {
      compileRuleSet(set, { hash: sha256 });
      t.fail("compiled");
    } catch (error) {
      t.ok(hasCode(error, "config_invalid"));
    }
  }
});

// Small alphabets, so that values meet often.
const word = fc.constantFrom("a", "b", "ab", "ba", "aab", "🔥a", "a*", "");
const values = fc.array(word, { maxLength: 3 });
const fieldName = fc.constantFrom(
  ...plainAlertFields.filter((name) => name !== "severity"),
  "labels.x",
  "labels.y",
  "labels.constructor",
  "annotations.x",
  "resource.x",
  "identity.x",
  "severity",
);
const glob = fc
  .array(fc.constantFrom("a", "b", "*", "?", "\\", "🔥", "**"), { maxLength: 6 })
  .map((list) => list.join(""));
const pattern = fc.constantFrom(
  "a",
  "a+b?",
  "(a|b)*",
  "ab|ba",
  ".",
  ".*b",
  "[^a]",
  "(a*)*",
  "(?i)AB",
  "a{2}b",
  "",
  "aa?",
  "aab|",
  "🔥.",
);
const test = fc.oneof(
  word.map((value) => ({ op: "eq" as const, values: [value] })),
  fc.array(word, { minLength: 1, maxLength: 3 }).map((list) => ({ op: "in" as const, values: list })),
  glob.map((value) => ({ op: "glob" as const, values: [value] })),
  pattern.map((value) => ({ op: "re" as const, values: [value] })),
  fc.constant({ op: "exists" as const, values: [] }),
);
const condition: fc.Arbitrary<Condition> = fc
  .tuple(fieldName, test, fc.boolean())
  .map(([field, one, negate]) => ({ field, negate, ...one }));
const rule: fc.Arbitrary<Partial<Rule>> = fc.record({
  stage: fc.constantFrom("live", "live", "live", "shadow", "off"),
  match: fc.array(condition, { maxLength: 3 }),
  group_by: fc.uniqueArray(fieldName, { maxLength: 3 }),
  on_missing: fc.constantFrom("separate", "skip", "shared"),
});
const optional = fc.option(word, { nil: undefined });
const anyFacts: fc.Arbitrary<AlertFacts> = fc
  .record({
    title: word,
    source: word,
    integration: word,
    severity: fc.constantFrom("critical" as const, "info" as const),
    service: optional,
    environment: optional,
    host: optional,
    component: optional,
    group_key: optional,
    x: values,
    y: values,
    many: values,
    names: fc.uniqueArray(fc.constantFrom("x", "y", "constructor", "__proto__", "p", "q"), { maxLength: 4 }),
  })
  .map(({ x, y, many, names, ...plain }) => {
    const labels = Object.fromEntries(names.map((name, index) => [name, [x, y, many][index % 3] ?? []]));
    const given = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
    return facts({
      ...given,
      labels,
      annotations: { x: x[0] ?? "" },
      ...(y.length > 1 ? { resource: { x: y[0] ?? "" } } : {}),
      identity: many.map((v) => ({ k: "x", v })),
    });
  });

await t.test("the compiled rule set answers as the naive reading of it does", async (t) => {
  const met = { shadow: 0, missing: 0, caught: 0, taken: 0, skipped: 0 };
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.array(anyFacts, { minLength: 1, maxLength: 4 }),
      (rules, alerts) => {
        const set = setOf(rules.map((one, index) => ({ id: `r${index}`, ...one })));
        const fast = compileRuleSet(set, { hash: sha256 });
        for (const alert of alerts) {
          const slow = matchNaively(set, alert);
          const match = fast.match(alert);
          deepStrictEqual(match, slow.match);
          deepStrictEqual(fast.whyNot(alert), slow.whyNot);
          if (match.shadow !== undefined) met.shadow += 1;
          if (match.missing.length > 0) met.missing += 1;
          if (match.rule.id === "catch-all") met.caught += 1;
          else met.taken += 1;
          if (slow.whyNot.some(({ condition: text }) => text.startsWith("group_by"))) met.skipped += 1;
        }
      },
    ),
    { numRuns: 1_000 },
  );
  for (const [what, times] of Object.entries(met)) t.ok(times > 50, `${what} was met ${times} times`);
});

await t.test("a thousand rules cost a look-up, not a thousand tests", async (t) => {
  const rules = (count: number): string =>
    `rules:\n${Array.from({ length: count }, (_, n) => `  - { id: r${n}, match: { source: alertmanager, labels.app: app-${n}, title: { re: "x${n}.*" } }, group_by: [host] }`).join("\n")}`;
  let tests = 0;
  const counting = { compile: () => ({ ok: true, test: () => (tests += 1) < 0 }) as const };
  for (const count of [10, 1_000]) {
    const set = compileRuleSet(ruleSetOf(rules(count)), { hash: sha256, regex: counting });
    tests = 0;
    set.match(facts({ labels: { app: [`app-${count - 1}`] } }));
    t.equal(tests, 1, `${count} rules`);
    tests = 0;
    set.match(facts({ labels: { app: ["other"] } }));
    t.equal(tests, 0, `${count} rules, none fits`);
  }
});

await t.test("rules that each name another label are found by the alert's own labels", async (t) => {
  const yaml = `rules:\n${Array.from({ length: 200 }, (_, n) => `  - { id: r${n}, match: { labels.l${n}: "1", identity.i${n}: { exists: false } }, group_by: [] }`).join("\n")}`;
  const rules = compiled(yaml);
  t.equal(rules.match(facts({ labels: { other: ["1"], l150: ["1"], l99: ["1", "2"] } })).rule.id, "r99");
  t.equal(rules.match(facts({ labels: { l5: ["2"] } })).rule.id, "catch-all");
});
