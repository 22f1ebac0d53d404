import {
  byteSize,
  type Config,
  type ConfigFiles,
  formatErrors,
  hasCode,
  httpUrl,
  initFiles,
  loadConfig,
  requireConfig,
  Secret,
  secret,
} from "@winnow/platform";
import { ruleLanguage } from "@winnow/rules";
import t from "tap";
import { Type } from "typebox";

const closed = { additionalProperties: false } as const;
const parts = {
  sourceTypes: ["alertmanager", "nagios", "zabbix"],
  rules: ruleLanguage,
  sinkSchemas: {
    log: Type.Object({ format: Type.Enum(["text", "json"] as const, { default: "text" }) }, closed),
    servicenow: Type.Object(
      {
        url: httpUrl(),
        auth: Type.Object({ basic: Type.Object({ username: Type.String(), password: secret() }, closed) }, closed),
        chunk: byteSize({ default: "1KiB" }),
      },
      closed,
    ),
  },
};

/** Files in memory, below /etc/winnow. */
function memory(texts: Readonly<Record<string, string>>): ConfigFiles {
  return {
    readFile: (path) => {
      const text = texts[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
    listFiles: (pattern, baseDir) => {
      const fits = new RegExp(`^${baseDir}/${pattern.replace(/\./g, "\\.").replace("*", "[^/]*")}$`);
      return Object.keys(texts)
        .filter((path) => fits.test(path))
        .map((path) => path.slice(baseDir.length + 1));
    },
  };
}

function load(
  main: string | null,
  more: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const files = memory({ ...more, ...(main === null ? {} : { "/etc/winnow/winnow.yaml": main }) });
  return loadConfig({ ...parts, file: main === null ? null : "winnow.yaml", cwd: "/etc/winnow", env, files });
}

function configOf(main: string | null, more: Readonly<Record<string, string>> = {}): Config {
  return requireConfig(load(main, more));
}

function errorsOf(main: string, more: Readonly<Record<string, string>> = {}): readonly string[] {
  const loaded = load(main, more);
  return loaded.ok
    ? []
    : loaded.errors.map((one) => `${one.file}:${one.line}:${one.column} ${one.code} ${one.message} | ${one.hint}`);
}

function warningsOf(main: string, more: Readonly<Record<string, string>> = {}): readonly string[] {
  return load(main, more).warnings.map((one) => `${one.file}:${one.line}:${one.column} ${one.code} ${one.message}`);
}

const example = `
version: 1
listen: 127.0.0.1:8080
sources:
  prometheus-prod: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } }, environment: prod }
rules:
  - id: per-service
    match: { source: [alertmanager, nagios], labels.team: { exists: true } }
    group_by: [service]
    on_missing: separate            # separate | skip | shared
    window: { type: until_resolved, max_age: 4h, max_alerts: 1000, reopen: 1h }
    hold: 5s                        # or by priority: { P1: 0s, default: 60s }
    resolve_delay: 0s
    incident: { title: "{{service}}: {{title}}", category: software, impact: medium, assignment_group: platform }
priority:
  matrix: { high: { high: P1, medium: P2, low: P3 }, medium: { high: P2, medium: P3, low: P4 }, low: { high: P3, medium: P4, low: P5 } }   # impact, then urgency
routes:
  - match: { priority: [P1, P2, P3, P4] }
    to: [snow]
destinations:
  snow:
    type: servicenow
    mode: live                      # dry_run is the default
    url: http://127.0.0.1:9801
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
    max_creates_per_minute: 600
retention: { log: { max_age: 7d, max_bytes: 20GiB }, incidents: { max_age: 400d } }
limits: { body_bytes: 5MiB }
`;

await t.test("the documented configuration works as it is", async (t) => {
  const loaded = load(example, {}, { AM_TOKEN: "one", SNOW_PASSWORD: "two" });
  const config = requireConfig(loaded);
  t.same(loaded.warnings, []);
  t.same(config.listen, { host: "127.0.0.1", port: 8080 });
  t.equal(config.data, "/etc/winnow/data");
  t.equal(config.file, "/etc/winnow/winnow.yaml");
  const [prometheus] = config.integrations;
  t.match(prometheus, { name: "prometheus-prod", type: "alertmanager", environment: "prod", scope: null });
  t.equal(prometheus?.credentials?.[0]?.secret.reveal(), "one");
  const [snow] = config.destinations;
  t.match(snow, { name: "snow", type: "servicenow", mode: "live", max_creates_per_minute: 600 });
  t.same(Object.keys(snow?.settings ?? {}), ["url", "auth", "chunk"], "the type's own settings, defaults filled in");
  t.same(config.retention, {
    log: { max_age: 7 * 86_400_000, max_bytes: 20 * 2 ** 30 },
    incidents: { max_age: 400 * 86_400_000 },
  });
  t.equal(config.limits.body_bytes, 5 * 2 ** 20);
  t.same(
    config.rule_set.rules.map(({ id }) => id),
    ["per-service", "catch-all"],
  );
  t.equal(config.rule_set.rules[0]?.hold_ms.P3, 5_000);
  t.same(config.rule_set.routes, [
    {
      match: [{ field: "priority", op: "in", negate: false, values: ["P1", "P2", "P3", "P4"] }],
      to: ["snow"],
      continue: false,
    },
  ]);
});

await t.test("without a file every kind of tool may send and tickets are printed", async (t) => {
  const config = configOf(null);
  t.same(
    config.integrations.map(({ name, type, credentials }) => ({ name, type, credentials })),
    parts.sourceTypes.map((type) => ({ name: type, type, credentials: null })),
  );
  t.match(config.destinations, [{ name: "log", type: "log", mode: "live", settings: { format: "text" } }]);
  t.same(config.rule_set.routes, [{ match: [], to: ["log"], continue: false }]);
  t.same(
    config.rule_set.rules.map(({ id }) => id),
    ["per-service", "catch-all"],
  );
  t.same([config.file, config.data], [null, "/etc/winnow/data"]);
});

await t.test("an empty file means the same as none", async (t) => {
  t.same({ ...configOf(""), file: null }, configOf(null));
});

await t.test(
  "a destination is dry and slow unless told otherwise, and gets everything unless routes say otherwise",
  async (t) => {
    const config = configOf("destinations:\n  a: { type: log }\n  b: { type: log, mode: live }\n");
    t.match(config.destinations, [
      { name: "a", mode: "dry_run", max_creates_per_minute: 30, allow_networks: [] },
      { name: "b", mode: "live" },
    ]);
    t.same(config.rule_set.routes, [{ match: [], to: ["a", "b"], continue: false }]);
  },
);

await t.test("every way to authenticate becomes a credential, two while one is replaced", async (t) => {
  const { integrations } = configOf(`
sources:
  a: { type: nagios, auth: { bearer: [{ env: A }, { env: B }] } }
  b: { type: nagios, auth: { header: { value: { env: A } } } }
  c: { type: nagios, auth: { header: { name: X-Key, value: { env: A } } } }
  d: { type: nagios, auth: { basic: { username: u, password: { env: A } } } }
  e: { type: nagios, auth: { basic: { password: { env: A } } } }
  f: { type: nagios, auth: { query: { env: A } } }
  g: { type: nagios, auth: { path: { env: A } } }
`);
  const a = new Secret({ env: "A" }, { env: {} });
  t.same(
    integrations.map(({ credentials }) => credentials?.map((one) => ({ ...one, secret: String(one.secret) }))),
    [
      [
        { secret: String(a), kinds: ["bearer"] },
        { secret: "[secret env:B]", kinds: ["bearer"] },
      ],
      [{ secret: String(a), kinds: ["header"], header: "X-Winnow-Token" }],
      [{ secret: String(a), kinds: ["header"], header: "X-Key" }],
      [{ secret: String(a), kinds: ["basic"], username: "u" }],
      [{ secret: String(a), kinds: ["basic"] }],
      [{ secret: String(a), kinds: ["query"] }],
      [{ secret: String(a), kinds: ["path"] }],
    ],
  );
});

/** text → its only error. */
const bad: readonly (readonly [string, string])[] = [
  ["version: 2", "winnow.yaml:1:10 wrong_type expected 1, found the number 2 | null"],
  ["destination: {}", 'winnow.yaml:1:1 unknown_key unknown key "destination" | did you mean "destinations"?'],
  ["partitions: 1", "winnow.yaml:1:13 bad_value 1 is less than 2 | null"],
  [
    "destinations:\n  snow: { type: servicenw }",
    'winnow.yaml:2:17 bad_value unknown type "servicenw" | did you mean "servicenow"?',
  ],
  [
    "destinations:\n  snow:\n    type: servicenow\n    url: http://x\n    mod: live\n    auth: { basic: { username: a, password: { env: B } } }",
    'winnow.yaml:5:5 unknown_key unknown key "mod" | did you mean "mode"?',
  ],
  [
    "destinations:\n  snow:\n    type: servicenow\n    url: http://x\n    auth: { basic: { username: a, password: hunter2 } }",
    "winnow.yaml:5:45 inline_secret a secret may not stand in the file | write { env: SNOW_PASSWORD } or { file: PATH }",
  ],
  [
    "destinations: { snow: { type: log } }\nroutes:\n  - match: { priority: P1 }\n    to: [log]",
    'winnow.yaml:4:10 unknown_name no destination is called "log" | destinations: snow',
  ],
  [
    "destinations: { snow: { type: log } }\nroutes:\n  - to: [snwo]",
    'winnow.yaml:3:10 unknown_name no destination is called "snwo" | did you mean "snow"?',
  ],
  [
    "rules:\n  - id: a\n    group_by: [service]\n  - id: a\n    group_by: [host]\n    match: { service: x }",
    'winnow.yaml:4:9 conflict the id "a" is taken by rule 1 | ids are unique: choose another',
  ],
  [
    "rules:\n  - id: catch-all\n    group_by: []",
    'winnow.yaml:2:9 conflict "catch-all" is the built-in last rule | choose another id',
  ],
  [
    "rules:\n  - id: a\n    group_by: [servce]",
    'winnow.yaml:3:16 unknown_key unknown field "servce" | did you mean "service"?',
  ],
  [
    "rules:\n  - id: a\n    match:\n      team: x\n    group_by: []",
    'winnow.yaml:4:7 unknown_key unknown field "team" | a label is labels.team; other fields: source, integration, severity, title, service, environment, host, component, class, group_key, dedup_key, annotations.X, resource.X, identity.X',
  ],
  [
    "rules:\n  - id: a\n    when: severity > 3\n    group_by: []",
    'winnow.yaml:3:5 unknown_key unknown key "when" | known keys: id, stage, match, group_by, on_missing, window, min_alerts, hold, resolve_delay, incident',
  ],
  [
    "rules:\n  - id: a\n    tests: []\n    group_by: []",
    'winnow.yaml:3:5 unknown_key unknown key "tests" | known keys: id, stage, match, group_by, on_missing, window, min_alerts, hold, resolve_delay, incident',
  ],
  [
    "rules:\n  - id: a\n    match: { title: { re: 'a(?=b)' } }\n    group_by: []",
    "winnow.yaml:3:21 bad_pattern not an RE2 pattern: invalid or unsupported Perl syntax: `(?=` | look-around is not supported: use a second condition, or not",
  ],
  [
    "sources:\n  a: { type: nagios, identity: [host, title] }",
    'winnow.yaml:2:39 bad_value "title" cannot be part of an identity | host, service, environment, component, class, dedup_key, rule.id, labels.X or resource.X',
  ],
  [
    "alertmanager_listen: { integration: prom }\nsources:\n  prod: { type: alertmanager }",
    'winnow.yaml:1:37 unknown_name no source is called "prom" | did you mean "prod"?',
  ],
  [
    "alertmanager_listen: { integration: n }\nsources:\n  n: { type: nagios }",
    'winnow.yaml:1:37 conflict the source "n" is of type nagios, not alertmanager | null',
  ],
  ["include: [more.yaml]", "winnow.yaml:1:11 unreadable the file more.yaml does not exist | null"],
  [
    "sources:\n  a: { type: nagios, auth: {} }",
    "winnow.yaml:2:28 bad_value expected exactly one of bearer, header, basic, query, path, found 0 | null",
  ],
];

await t.test("each mistake in a configuration is an error at its place", async (t) => {
  for (const [text, error] of bad) t.same(errorsOf(text), [error], text);
});

await t.test("a file that is not there is an error and no exception", async (t) => {
  const loaded = loadConfig({ ...parts, file: "winnow.yaml", cwd: "/nowhere", env: {}, files: memory({}) });
  t.match(loaded, {
    ok: false,
    errors: [{ file: "winnow.yaml", code: "unreadable", message: "the file winnow.yaml does not exist" }],
  });
  try {
    requireConfig(loaded);
    t.fail("accepted");
  } catch (error) {
    t.ok(hasCode(error, "config_invalid"));
    t.match(error, { message: /winnow\.yaml:1:1: the file winnow\.yaml does not exist/ });
  }
});

await t.test("what is odd but allowed is a warning at its place", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "sources:\n  a: { type: nagios, auth: { query: { env: TOKEN } } }",
      "winnow.yaml:2:37 variable_unset the environment variable TOKEN is not set",
    ],
    [
      "rules:\n  - { id: all, group_by: [service] }\n  - { id: late, group_by: [host], match: { host: a } }",
      'winnow.yaml:3:11 unreachable never reached: rule "all" before it takes every alert',
    ],
    [
      "routes:\n  - to: [log]\n  - to: [log]",
      "winnow.yaml:3:5 unreachable never reached: route 1 before it takes every incident",
    ],
    [
      "rules:\n  - { id: a, group_by: [], match: { source: nagois } }",
      'winnow.yaml:2:45 suspicious no source is called "nagois"',
    ],
    [
      "rules:\n  - { id: a, group_by: [], match: { integration: x } }",
      'winnow.yaml:2:50 suspicious no integration is called "x"',
    ],
    [
      "rules:\n  - { id: a, group_by: [], match: { title: { re: '^Disk' } } }",
      "winnow.yaml:2:44 suspicious the pattern must match the whole value, not only its start",
    ],
    ["include: [rules/*.yaml]", 'winnow.yaml:1:11 suspicious no file fits "rules/*.yaml"'],
  ];
  for (const [text, warning] of cases) t.same(warningsOf(text), [warning], text);
  t.same(
    warningsOf("rules:\n  - { id: a, group_by: [service], on_missing: skip }\n  - { id: b, group_by: [host] }"),
    [],
    "a rule that skips leaves something for the next",
  );
  t.same(
    warningsOf("rules:\n  - { id: a, group_by: [service], stage: shadow }\n  - { id: b, group_by: [host] }"),
    [],
    "a shadow takes nothing",
  );
  t.same(
    warningsOf("routes:\n  - { to: [log], continue: true }\n  - to: [log]"),
    [],
    "a route that continues hides nothing",
  );
});

const included = {
  "/etc/winnow/rules/b.yaml": "rules:\n  - { id: second, group_by: [host], match: { host: b } }",
  "/etc/winnow/rules/a.yaml": "rules:\n  - { id: first, group_by: [host], match: { host: a } }",
  "/etc/winnow/teams/db.yaml":
    "sources:\n  db: { type: zabbix, auth: { query: { file: db-token } } }\ndestinations:\n  db-log: { type: log }\nroutes:\n  - match: { service: db }\n    to: [db-log]",
};

await t.test("included files add their rules, sources, routes and destinations, in order", async (t) => {
  const config = configOf(
    "include: [rules/*.yaml, teams/db.yaml]\nrules:\n  - { id: own, group_by: [service], match: { service: x } }\nsources:\n  prom: { type: alertmanager }\nroutes:\n  - match: { service: x }\n    to: [db-log]",
    included,
  );
  t.same(
    config.rule_set.rules.map(({ id }) => id),
    ["own", "first", "second", "catch-all"],
  );
  t.same(
    config.integrations.map(({ name }) => name),
    ["prom", "db"],
  );
  t.same(
    config.destinations.map(({ name }) => name),
    ["db-log"],
  );
  t.equal(config.rule_set.routes.length, 2);
  t.equal(String(config.integrations[1]?.credentials?.[0]?.secret), "[secret file:/etc/winnow/teams/db-token]");
});

await t.test("errors in included files point into them", async (t) => {
  t.same(errorsOf("include: [rules/*.yaml]\nrules:\n  - { id: second, group_by: [] , match: { host: x } }", included), [
    'rules/b.yaml:2:11 conflict the id "second" is taken by rule 1 | ids are unique: choose another',
  ]);
  t.same(errorsOf("include: [teams/db.yaml]\ndestinations:\n  db-log: { type: log }", included), [
    'teams/db.yaml:4:3 conflict "db-log" is defined already, in winnow.yaml:3 | null',
  ]);
  t.same(errorsOf("include: [x.yaml]", { "/etc/winnow/x.yaml": "listen: 127.0.0.1:1" }), [
    'x.yaml:1:1 unknown_key unknown key "listen" | known keys: version, sources, rules, routes, destinations',
  ]);
  t.same(errorsOf("include: [rules/*.yaml, rules/a.yaml]", included), [
    "winnow.yaml:1:25 conflict rules/a.yaml is read already | null",
  ]);
});

await t.test("variables fill everything but rules", async (t) => {
  const loaded = load(
    'listen: "127.0.0.1:${PORT}"\nrules:\n  - id: a\n    match: { title: "${PORT}" }\n    group_by: []\ndestinations:\n  d: { type: log, mode: "${MODE}" }',
    {},
    { PORT: "9", MODE: "live" },
  );
  const config = requireConfig(loaded);
  t.equal(config.listen.port, 9);
  t.equal(config.destinations[0]?.mode, "live");
  t.same(config.rule_set.rules[0]?.match[0]?.values, ["${PORT}"]);
});

await t.test("no secret is in a configuration that is printed", async (t) => {
  const config = requireConfig(load(example, {}, { AM_TOKEN: "hunter2", SNOW_PASSWORD: "hunter2" }));
  t.equal(config.integrations[0]?.credentials?.[0]?.secret.reveal(), "hunter2");
  t.notMatch(JSON.stringify(config), /hunter2/);
});

await t.test("the file that init writes loads without a finding and without any variable", async (t) => {
  const [yaml, schema] = initFiles(parts);
  const loaded = load(yaml?.text ?? "");
  t.equal(loaded.ok ? "" : formatErrors(loaded.errors, loaded.texts), "");
  t.same(loaded.warnings, []);
  t.match(yaml?.text, new RegExp(`^# yaml-language-server: \\$schema=\\./${schema?.name}\n`));
  t.match(JSON.parse(schema?.text ?? ""), { title: "Winnow configuration", type: "object" });
  const uncommented = (yaml?.text ?? "").replace(
    /^( *)# (?=( *)(data|public_url|sources|prometheus-prod|nagios-dc1|type|environment|time_zone|auth|snow|mode|url|- match|to):?)/gm,
    "$1",
  );
  t.not(uncommented, yaml?.text);
  const full = load(uncommented);
  t.equal(full.ok ? "" : formatErrors(full.errors, full.texts), "", "and what stands in its comments is right too");
  t.same(
    full.warnings.map(({ code }) => code),
    ["variable_unset", "variable_unset", "variable_unset"],
  );
});
