import {
  address,
  byteSize,
  checkYaml,
  cidr,
  duration,
  filePath,
  formatErrors,
  httpUrl,
  named,
  Secret,
  scalarText,
  secrets,
  timeZone,
  type YamlProblem,
} from "@winnow/platform";
import t from "tap";
import { Type } from "typebox";

const closed = { additionalProperties: false } as const;
const schema = Type.Object(
  {
    listen: address({ default: "127.0.0.1:8080" }),
    url: Type.Optional(httpUrl()),
    zone: Type.Optional(timeZone()),
    key: Type.Optional(filePath()),
    networks: Type.Array(cidr(), { default: [] }),
    hold: duration({ default: "1m", max: 3_600_000 }),
    size: byteSize({ default: "5MiB" }),
    count: Type.Integer({ default: 4, minimum: 2, maximum: 9 }),
    on: Type.Boolean({ default: false }),
    mode: Type.Enum(["live", "dry_run"] as const, { default: "dry_run" }),
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 10 })),
    any: Type.Optional(scalarText()),
    list: Type.Array(Type.String(), { default: [], maxItems: 2 }),
    sources: named(
      Type.Object({ type: Type.Enum(["alertmanager", "nagios"] as const), token: Type.Optional(secrets()) }, closed),
      { default: {} },
    ),
    one: Type.Optional(
      Type.Object(
        { glob: Type.Optional(Type.String()), re: Type.Optional(Type.String()) },
        { ...closed, minProperties: 1, maxProperties: 1 },
      ),
    ),
    sink: Type.Optional(
      Type.Union(
        [
          Type.Object({ type: Type.Literal("log") }, closed),
          Type.Object({ type: Type.Literal("hook"), url: httpUrl() }, closed),
        ],
        { "x-choose-by": "type" },
      ),
    ),
    raw: Type.Array(Type.String(), { default: [], "x-interpolate": false }),
  },
  closed,
);

const env = { PORT: "9090", COUNT: "7", WORD: "five", LEAK: "hunter2", TRICK: "${PORT}" };

function check(text: string) {
  return checkYaml(text, "w.yaml", schema, { env, baseDir: "/etc/winnow" });
}

function errorsOf(text: string): readonly YamlProblem[] {
  const checked = check(text);
  return checked.ok ? [] : checked.errors;
}

await t.test("an empty text gives every default", async (t) => {
  for (const text of ["", "\n# only a comment\n", "sources:\nlist:\n"]) {
    const checked = check(text);
    t.ok(checked.ok);
    t.same(checked.ok && checked.value, {
      listen: { host: "127.0.0.1", port: 8080 },
      networks: [],
      hold: 60_000,
      size: 5_242_880,
      count: 4,
      on: false,
      mode: "dry_run",
      list: [],
      sources: {},
      raw: [],
    });
  }
});

await t.test("values become what the program works with", async (t) => {
  const checked = check(
    [
      "listen: '[::1]:0'",
      "key: certs/ca.pem",
      "zone: Europe/Berlin",
      "networks: [10.0.0.0/8, 192.168.1.5, 'fd00::/8']",
      "hold: 1m30s",
      "any: 0500",
      "sources:",
      "  prom: { type: alertmanager, token: { env: LEAK } }",
      "  both: { type: nagios, token: [{ env: LEAK }, { file: token }] }",
    ].join("\n"),
  );
  if (!checked.ok) throw new Error(formatErrors(checked.errors, ""));
  const { value } = checked;
  t.same(value.listen, { host: "::1", port: 0 });
  t.equal(value.key, "/etc/winnow/certs/ca.pem");
  t.equal(value.hold, 90_000);
  t.equal(value.any, "0500", "a scalar is taken as it is written");
  t.ok(value.sources["prom"]?.token instanceof Secret);
  t.equal(checked.secrets.length, 3);
  t.same(
    checked.secrets.map(({ secret }) => secret.origin),
    [{ env: "LEAK" }, { env: "LEAK" }, { file: "/etc/winnow/token" }],
  );
});

/** text → line, column, code, message, hint of the only error. */
const bad: readonly (readonly [string, number, number, string, string, string | null])[] = [
  ["listn: 127.0.0.1:1", 1, 1, "unknown_key", 'unknown key "listn"', 'did you mean "listen"?'],
  ["ulr: http://x", 1, 1, "unknown_key", 'unknown key "ulr"', 'did you mean "url"?'],
  [
    "a: 1\n\n\n",
    1,
    1,
    "unknown_key",
    'unknown key "a"',
    "known keys: listen, url, zone, key, networks, hold, size, count, on, mode, text, any, list, sources, one, sink, raw",
  ],
  ["<<: { hold: 1s }", 1, 1, "unknown_key", 'unknown key "<<"', "merge keys are not supported: write the keys out"],
  ["hold: 30", 1, 7, "bad_value", '"30" is not a duration', "add a unit: 30s"],
  ["hold: 2h", 1, 7, "bad_value", "2h is more than 1h", null],
  ["hold:", 1, 6, "wrong_type", "expected a duration such as 30s, found nothing", null],
  ["size: [1]", 1, 7, "wrong_type", "expected a size such as 5MiB, found a list", null],
  ["count: 1", 1, 8, "bad_value", "1 is less than 2", null],
  ["count: 10", 1, 8, "bad_value", "10 is more than 9", null],
  ["count: 2.5", 1, 8, "wrong_type", "expected a whole number, found the number 2.5", null],
  ["count: two", 1, 8, "wrong_type", 'expected a whole number, found "two"', null],
  ["on: yes", 1, 5, "wrong_type", 'expected true or false, found "yes"', "write true"],
  ["mode: Live", 1, 7, "bad_value", 'expected one of live, dry_run, found "Live"', 'did you mean "live"?'],
  ["text: 5", 1, 7, "wrong_type", "expected text, found the number 5", 'put it in quotes: "5"'],
  ["text: ''", 1, 7, "bad_value", "an empty text", null],
  ["text: 12345678901 chars", 1, 7, "bad_value", "17 characters long; at most 10 are allowed", null],
  ["list: a", 1, 7, "wrong_type", 'expected a list, found "a"', null],
  ["list: [a, b, c]", 1, 7, "bad_value", "3 entries; at most 2 are allowed", null],
  ["list:\n  - a\n  - { b: 1 }", 3, 5, "wrong_type", "expected text, found a mapping", null],
  ["sources: []", 1, 10, "wrong_type", "expected a mapping, found a list", null],
  [
    "sources:\n  p: { type: nagois }",
    2,
    14,
    "bad_value",
    'expected one of alertmanager, nagios, found "nagois"',
    'did you mean "nagios"?',
  ],
  [
    "sources:\n  p:\n    token: { env: A }",
    3,
    5,
    "missing_key",
    'the key "type" is missing',
    "add type: one of alertmanager, nagios",
  ],
  [
    "sources:\n  my prom: { type: nagios }",
    2,
    3,
    "bad_value",
    '"my prom" is no name that is allowed here',
    "letters, digits, dot, - and _, at most 63, starting with a letter or digit",
  ],
  [
    "sources:\n  p: { type: nagios, token: hunter2 }",
    2,
    29,
    "inline_secret",
    "a secret may not stand in the file",
    "write { env: P_TOKEN } or { file: PATH }",
  ],
  [
    "sources:\n  p: { type: nagios, token: '${LEAK}' }",
    2,
    29,
    "inline_secret",
    "a secret may not stand in the file",
    "write { env: P_TOKEN } or { file: PATH }",
  ],
  [
    "sources:\n  p: { type: nagios, token: { env: my-token } }",
    2,
    36,
    "bad_value",
    '"my-token" is not allowed here',
    "the name of an environment variable",
  ],
  [
    "sources:\n  p: { type: nagios, token: { env: A, file: b } }",
    2,
    29,
    "bad_value",
    "expected exactly one of env, file, found 2",
    null,
  ],
  [
    "sources:\n  p: { type: nagios, token: [{ env: A }, { env: B }, { env: C }] }",
    2,
    29,
    "bad_value",
    "3 entries; at most 2 are allowed",
    null,
  ],
  ["url: ftp://x", 1, 6, "bad_value", "not an http or https URL", "such as https://example.service-now.com"],
  ["url: https://u:p@x/", 1, 6, "inline_secret", "the URL holds credentials", "put them under auth, as { env: NAME }"],
  [
    "zone: Berlin/Europe",
    1,
    7,
    "bad_value",
    '"Berlin/Europe" is not a time zone',
    "an IANA name such as Europe/Berlin, or UTC",
  ],
  [
    "networks: [10.0.0.0/33]",
    1,
    12,
    "bad_value",
    '"10.0.0.0/33" is not a network',
    "such as 10.0.0.0/8, 192.168.1.5/32 or fd00::/8",
  ],
  ["listen: 8080", 1, 9, "bad_value", '"8080" is not HOST:PORT', "write 127.0.0.1:8080"],
  ["listen: a:99999", 1, 9, "bad_value", "99999 is no port", "ports go up to 65535"],
  ["listen: '[1.2.3.4]:1'", 1, 9, "bad_value", '"1.2.3.4" is not an IPv6 address', null],
  ["one: {}", 1, 6, "bad_value", "expected exactly one of glob, re, found 0", null],
  ["one: { glob: a, re: b }", 1, 6, "bad_value", "expected exactly one of glob, re, found 2", null],
  ["sink: { url: http://x }", 1, 7, "missing_key", 'the key "type" is missing', "add type: one of log, hook"],
  ["sink: { type: hok }", 1, 15, "bad_value", 'unknown type "hok"', 'did you mean "hook"?'],
  ["sink: { type: log, url: http://x }", 1, 20, "unknown_key", 'unknown key "url"', "known keys: type"],
  ["hold: 1s\nhold: 2s", 2, 1, "duplicate_key", 'the key "hold" stands here twice; first in line 1', "merge the two"],
  ["? [a]\n: 1", 1, 3, "bad_value", "this cannot be a key", "a key is a plain text"],
  ["__proto__: {}", 1, 1, "bad_value", "this cannot be a key", "a key is a plain text"],
  [
    "text: ${NOPE}",
    1,
    7,
    "variable_unset",
    "the environment variable NOPE is not set",
    "set NOPE, or write the value here",
  ],
  ["text: ${no-pe}", 1, 7, "variable_unset", '"${no-pe}" names no environment variable', "write $${ for a literal ${"],
  [
    "hold: ${WORD}",
    1,
    7,
    "bad_value",
    '"${WORD}" does not hold a duration such as 30s',
    "look at the environment variable's value",
  ],
  ["text: !!binary aGk=", 1, 16, "yaml_syntax", "the tag tag:yaml.org,2002:binary is not supported", null],
  ["text: *nope", 1, 7, "yaml_syntax", 'no anchor is called "nope"', null],
  ["text: !mine x", 1, 7, "yaml_syntax", "unresolved tag: !mine", "tags such as !name are not supported"],
  [
    "text: a: b",
    1,
    7,
    "yaml_syntax",
    "nested mappings are not allowed in compact mappings",
    'a text that holds ": " must be in quotes',
  ],
  ["sources:\n\tp: 1", 2, 1, "yaml_syntax", "tabs are not allowed as indentation", "indent with spaces"],
  [
    "text: a\n---\ntext: b",
    2,
    1,
    "yaml_syntax",
    "a second document starts here",
    "one document per file: take the --- lines out and use include",
  ],
  [
    "list: [${WORD}]",
    1,
    9,
    "yaml_syntax",
    "missing , or : between flow sequence items",
    "inside [ ] and { } put ${NAME} in quotes",
  ],
  ["%YAML 1.1\n---\non: yes", 1, 1, "yaml_syntax", "only YAML 1.2 is read", "take the %YAML line out"],
  ["- a", 1, 1, "wrong_type", "expected a mapping, found a list", null],
];

await t.test("each mistake is one error at its place, with what to write instead", async (t) => {
  for (const [text, line, column, code, message, hint] of bad) {
    const errors = errorsOf(text);
    t.same(
      errors.map((error) => [error.line, error.column, error.code, error.message, error.hint]),
      [[line, column, code, message, hint]],
      text,
    );
  }
});

await t.test("every error of a text is reported, from the top", async (t) => {
  const errors = errorsOf("count: 1\nnope: 2\nsources: { a: { tpe: 1 } }\nmode: x\n");
  t.same(
    errors.map((error) => [error.line, error.code, error.path]),
    [
      [1, "bad_value", "count"],
      [2, "unknown_key", "nope"],
      [3, "missing_key", "sources.a"],
      [3, "unknown_key", "sources.a.tpe"],
      [4, "bad_value", "mode"],
    ],
  );
  t.equal(errorsOf(Array.from({ length: 500 }, (_, index) => `k${index}: 1`).join("\n")).length, 50, "but no flood");
});

await t.test("variables fill any value, once, and $${ escapes", async (t) => {
  const checked = check(
    'listen: "127.0.0.1:${PORT}"\ncount: ${COUNT}\ntext: ${TRICK}\nlist: ["$${PORT}", "a ${WORD} b"]\nraw: ["${PORT}"]\nany: ${COUNT}',
  );
  if (!checked.ok) throw new Error(formatErrors(checked.errors, ""));
  t.same(checked.value.listen, { host: "127.0.0.1", port: 9090 });
  t.equal(checked.value.count, 7);
  t.equal(checked.value.text, "${PORT}", "what a variable holds is not looked at again");
  t.same(checked.value.list, ["${PORT}", "a five b"]);
  t.same(checked.value.raw, ["${PORT}"], "and never where it is switched off");
  t.equal(checked.value.any, "7");
});

await t.test("an error never shows what a variable holds", async (t) => {
  for (const text of [
    "mode: ${LEAK}",
    "hold: ${LEAK}",
    "listen: ${LEAK}",
    "zone: ${LEAK}",
    "sink: { type: '${LEAK}' }",
    "count: ${LEAK}",
    "on: ${LEAK}",
    "networks: ['${LEAK}']",
  ]) {
    const errors = errorsOf(text);
    t.equal(errors.length, 1, text);
    t.notMatch(JSON.stringify(errors), /hunter2/, text);
  }
});

await t.test("errors are printed with their line and a caret below the place", async (t) => {
  const text =
    "listen: 127.0.0.1:8080\nholt: 30s\nsources:\n  prom: { type: alertmanger, token: hunter2 }\n\nlist:\n\t- x";
  const good = text.slice(0, text.indexOf("\n\nlist"));
  t.equal(
    formatErrors(errorsOf(good), good),
    [
      'w.yaml:2:1: unknown key "holt" (unknown_key)',
      "  2 | holt: 30s",
      "    | ^",
      '  hint: did you mean "hold"?',
      'w.yaml:4:17: expected one of alertmanager, nagios, found "alertmanger" (bad_value)',
      "  4 |   prom: { type: alertmanger, token: ****",
      "    |                 ^",
      '  hint: did you mean "alertmanager"?',
      "w.yaml:4:37: a secret may not stand in the file (inline_secret)",
      "  4 |   prom: { type: alertmanger, token: ****",
      "    |                                     ^",
      "  hint: write { env: PROM_TOKEN } or { file: PATH }",
    ].join("\n"),
  );
});

await t.test("a secret is masked in the printed line whatever the mistake is", async (t) => {
  const cases = [
    "sources: { p: { type: nagios, token: hunter2, x: 1 } }",
    "sources: { p: { type: nagios, tokne: 1, password: hunter2 } }",
    "pasword: x\nurl: https://user:hunter2@host/",
    'sources: { p: { type: nagios, "api_key": "hunter2" } }',
  ];
  for (const text of cases) {
    const printed = formatErrors(errorsOf(text), text);
    t.match(printed, /\^/, text);
    t.notMatch(printed, /hunter2/, text);
  }
});

await t.test("a long line is cut around the place, and control characters do not reach the terminal", async (t) => {
  const text = `list: ["${"x".repeat(300)}", {}]`;
  const [, line = "", caret = ""] = formatErrors(errorsOf(text), text).split("\n");
  t.ok(line.length < 140);
  t.equal(line[caret.indexOf("^")], "{", "the caret stands below the place");
  t.notOk(formatErrors(errorsOf('nope: "\u0007"'), 'nope: "\u0007"').includes("\u0007"));
});
