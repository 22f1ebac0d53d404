import { parseRules } from "@winnow/rules";
import t from "tap";
import { ruleSetOf } from "./helpers.ts";

function errorsOf(text: string): readonly string[] {
  const parsed = parseRules(text, "r.yaml", {
    destinations: ["snow", "chat"],
    sourceTypes: ["nagios"],
    integrations: ["dc1"],
  });
  return parsed.ok
    ? []
    : parsed.errors.map((one) => `${one.line}:${one.column} ${one.path} ${one.code} ${one.message} | ${one.hint}`);
}

const rule = "rules:\n  - id: a\n    group_by: [service]\n";

await t.test("each way to write a test becomes one condition", async (t) => {
  const set = ruleSetOf(`rules:
  - id: a
    group_by: []
    match:
      service: db
      host: [a, b]
      labels.code: 404
      labels.on: [true, no]
      title: { glob: "disk*" }
      component: { re: "db-[0-9]+" }
      class: { exists: true }
      environment: { exists: false }
      source: { not: nagios }
      integration: { not: [a, b] }
      labels.x.y/z: { not: { glob: "t*" } }
      dedup_key: { not: { exists: false } }
`);
  t.same(
    set.rules[0]?.match.map(({ field, op, negate, values }) => [field, op, negate, ...values]),
    [
      ["service", "eq", false, "db"],
      ["host", "in", false, "a", "b"],
      ["labels.code", "eq", false, "404"],
      ["labels.on", "in", false, "true", "no"],
      ["title", "glob", false, "disk*"],
      ["component", "re", false, "db-[0-9]+"],
      ["class", "exists", false],
      ["environment", "exists", true],
      ["source", "eq", true, "nagios"],
      ["integration", "in", true, "a", "b"],
      ["labels.x.y/z", "glob", true, "t*"],
      ["dedup_key", "exists", false],
    ],
  );
});

await t.test("a rule that says nothing has the defaults", async (t) => {
  t.same(ruleSetOf(rule).rules[0], {
    id: "a",
    stage: "live",
    match: [],
    group_by: ["service"],
    on_missing: "separate",
    window: {
      type: "until_resolved",
      length_ms: null,
      gap_ms: null,
      max_age_ms: 14_400_000,
      max_alerts: 1_000,
      reopen_ms: 3_600_000,
    },
    min_alerts: 1,
    hold_ms: { P1: 0, P2: 60_000, P3: 60_000, P4: 60_000, P5: 60_000 },
    resolve_delay_ms: 0,
    incident: {
      title: "{{title}}",
      category: null,
      service: null,
      impact: null,
      urgency: null,
      assignment_group: null,
      contact: null,
    },
  });
});

await t.test("hold is one duration or one by priority", async (t) => {
  const holdOf = (hold: string) => ruleSetOf(`${rule}    hold: ${hold}`).rules[0]?.hold_ms;
  t.same(holdOf("5s"), { P1: 5_000, P2: 5_000, P3: 5_000, P4: 5_000, P5: 5_000 });
  t.same(holdOf("{ P1: 1s, P4: 4s, default: 9s }"), { P1: 1_000, P2: 9_000, P3: 9_000, P4: 4_000, P5: 9_000 });
  t.same(holdOf("{ P2: 2s }"), { P1: 60_000, P2: 2_000, P3: 60_000, P4: 60_000, P5: 60_000 });
});

await t.test("windows take what belongs to their type", async (t) => {
  const windowOf = (window: string) => ruleSetOf(`${rule}    window: ${window}`).rules[0]?.window;
  t.match(windowOf("{ type: fixed, length: 5m }"), { type: "fixed", length_ms: 300_000, gap_ms: null });
  t.match(windowOf("{ type: rolling, gap: 10m, max_age: 1d }"), {
    type: "rolling",
    length_ms: null,
    gap_ms: 600_000,
    max_age_ms: 86_400_000,
  });
});

await t.test("the catch-all is always last, and a set without rules groups by service", async (t) => {
  t.same(
    ruleSetOf("").rules.map(({ id }) => id),
    ["per-service", "catch-all"],
  );
  t.same(
    ruleSetOf("rules: []").rules.map(({ id }) => id),
    ["catch-all"],
  );
  t.same(
    ruleSetOf(rule).rules.map(({ id }) => id),
    ["a", "catch-all"],
  );
});

await t.test("a matrix or urgency that is written in part keeps the rest of the defaults", async (t) => {
  const set = ruleSetOf("priority: { matrix: { low: { low: P4 } }, urgency: { warning: high } }");
  t.same(set.matrix.low, { high: "P3", medium: "P4", low: "P4" });
  t.same(set.matrix.high, { high: "P1", medium: "P2", low: "P3" });
  t.same(set.urgency_by_severity, {
    critical: "high",
    error: "medium",
    warning: "high",
    info: "low",
    unknown: "medium",
  });
});

await t.test("the rest of a configuration may stand beside the rules and is not judged", async (t) => {
  t.same(errorsOf("listen: nonsense\nsources: 5\nlimits: [${NOPE}x"), [
    "3:11  yaml_syntax missing , or : between flow sequence items | inside [ ] and { } put ${NAME} in quotes",
  ]);
  t.same(errorsOf(`listen: nonsense\nsources: 5\ndata: "\${NOPE}"\n${rule}`), []);
});

const bad: readonly (readonly [string, string])[] = [
  ["rules:\n  - group_by: []", '2:5 rules[0] missing_key the key "id" is missing | add id: text'],
  [
    "rules:\n  - id: A B\n    group_by: []",
    '2:9 rules[0].id bad_value "A B" is not allowed here | small letters, digits, dot, - and _, at most 63',
  ],
  ["rules:\n  - id: a", '2:5 rules[0] missing_key the key "group_by" is missing | add group_by: a list'],
  [
    `${rule}    stage: lve`,
    '4:12 rules[0].stage bad_value expected one of off, shadow, live, found "lve" | did you mean "live"?',
  ],
  [
    `${rule}    match: { service: { globb: x } }`,
    '4:25 rules[0].match.service.globb unknown_key unknown key "globb" | did you mean "glob"?',
  ],
  [
    `${rule}    match: { service: { glob: a, re: b } }`,
    "4:23 rules[0].match.service bad_value expected exactly one of glob, re, exists, not, found 2 | null",
  ],
  [
    `${rule}    match: { service: { not: { not: a } } }`,
    '4:32 rules[0].match.service.not.not unknown_key unknown key "not" | known keys: glob, re, exists',
  ],
  [
    `${rule}    match: { service: { exists: yes } }`,
    '4:33 rules[0].match.service.exists wrong_type expected true or false, found "yes" | write true',
  ],
  [
    `${rule}    match: { service: [] }`,
    "4:23 rules[0].match.service bad_value 0 entries; at least 1 are allowed | null",
  ],
  [
    `${rule}    match: { service: }`,
    "4:23 rules[0].match.service wrong_type expected text or a list or a mapping, found nothing | null",
  ],
  [
    `${rule}    match: { severity: critcal }`,
    '4:24 rules[0].match.severity bad_value severity is one of critical, error, warning, info, unknown, never "critcal" | did you mean "critical"?',
  ],
  [
    `${rule}    match: { label.team: x }`,
    '4:14 rules[0].match["label.team"] unknown_key unknown field "label.team" | did you mean "labels.team"?',
  ],
  [
    `${rule}    match: { labels: x }`,
    '4:14 rules[0].match.labels unknown_key unknown field "labels" | name one of them: labels.NAME',
  ],
  [
    `${rule}    match: { title: { re: "[a" } }`,
    "4:21 rules[0].match.title bad_pattern not an RE2 pattern: missing closing ]: `[a` | null",
  ],
  [
    `${rule}    match: { title: { re: "(a)\\\\1" } }`,
    "4:21 rules[0].match.title bad_pattern not an RE2 pattern: invalid escape sequence: `\\1` | back-references are not supported",
  ],
  [
    `${rule}    match: { title: { re: "${"a".repeat(513)}" } }`,
    "4:27 rules[0].match.title.re bad_value 513 characters long; at most 512 are allowed | null",
  ],
  [
    `${rule}    match: { title: { re: "(.{1,30}){30}" } }`,
    "4:21 rules[0].match.title bad_pattern the pattern is too large | use smaller repeat counts, or a glob",
  ],
  [
    `${rule}    window: { type: fixed }`,
    '4:13 rules[0].window missing_key a fixed window needs "length" | add length: 5m',
  ],
  [
    `${rule}    window: { gap: 5m }`,
    '4:15 rules[0].window.gap conflict "gap" means nothing in a window of type until_resolved | it belongs to type: rolling',
  ],
  [`${rule}    hold: { P6: 1s }`, '4:13 rules[0].hold.P6 unknown_key unknown key "P6" | did you mean "P1"?'],
  [
    `${rule}    hold: soon`,
    '4:11 rules[0].hold bad_value "soon" is not a duration | units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d',
  ],
  [
    `${rule}    incident: { title: "{{servce}}: x" }`,
    '4:24 rules[0].incident.title unknown_key unknown field "servce" in the title | did you mean "service"?',
  ],
  [
    `${rule}    incident: { title: "{{service: x" }`,
    "4:24 rules[0].incident.title bad_value braces that close no {{field}} | write {{service}}",
  ],
  [
    "rules:\n  - id: a\n    group_by: [service, host, service]",
    '3:31 rules[0].group_by[2] duplicate_key "service" stands here twice | null',
  ],
  ["routes:\n  - to: []", "2:9 routes[0].to bad_value 0 entries; at least 1 are allowed | null"],
  ["routes:\n  - to: [snw]", '2:10 routes[0].to[0] unknown_name no destination is called "snw" | did you mean "snow"?'],
  [
    "routes:\n  - to: [snow]\n    match: { prioritty: P1 }",
    '3:14 routes[0].match.prioritty unknown_key unknown field "prioritty" | did you mean "priority"?',
  ],
  [
    "routes:\n  - to: [snow]\n    match: { host: a }",
    '3:14 routes[0].match.host unknown_key unknown field "host" | routes look at priority, severity, service, environment, category, assignment_group, rule_id, title',
  ],
  [
    "routes:\n  - to: [snow]\n    match: { priority: [P1, P9] }",
    '3:24 routes[0].match.priority bad_value priority is one of P1, P2, P3, P4, P5, never "P9" | did you mean "P1"?',
  ],
];

await t.test("each mistake in a rule is an error at its place, with what to write instead", async (t) => {
  for (const [text, error] of bad) t.same(errorsOf(text), [error], text);
});
