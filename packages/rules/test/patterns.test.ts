import { re2Engine, ruleLimits } from "@winnow/rules";
import fc from "fast-check";
import t from "tap";
import { compiled, facts } from "./helpers.ts";

function matches(pattern: string, text: string): boolean {
  const found = re2Engine.compile(pattern);
  if (!found.ok) throw new Error(found.message);
  return found.test(text);
}

await t.test("a pattern must match the whole value, line breaks included", async (t) => {
  t.ok(matches("disk.*", "disk\nfull"));
  t.notOk(matches("disk", "disk full"));
  t.notOk(matches("full", "disk full"));
  t.ok(matches("^disk full$", "disk full"));
  t.ok(matches("(?i)DISK", "disk"));
  t.ok(matches("", ""));
});

await t.test("the shortcut by a literal beginning changes no answer", async (t) => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["ab*", "a", true],
    ["ab?c", "ac", true],
    ["ab+", "a", false],
    ["ab{0,1}c", "ac", true],
    ["abc|x", "x", true],
    ["ab(c|d)", "abd", true],
    ["a.c", "abc", true],
    ["web-\\d+", "web-12", true],
    ["a?", "", true],
  ];
  for (const [pattern, text, expected] of cases) t.equal(matches(pattern, text), expected, `${pattern} on ${text}`);
});

/** Patterns that take V8's engine longer than anybody waits. */
const attacks: readonly (readonly [string, string])[] = [
  ["(a+)+", `${"a".repeat(8_000)}!`],
  ["(a|aa)+", `${"a".repeat(8_000)}!`],
  ["(.*)*x", "a".repeat(8_000)],
  ["(a?){150}a{150}", "a".repeat(149)],
  ["([a-z]+)*[0-9]", "a".repeat(8_000)],
  ["(.{0,10}){40}x", "ab".repeat(4_000)],
  ["(.*a.{12})*c", "ab".repeat(4_000)],
];

await t.test("no pattern runs away", async (t) => {
  for (const [pattern, text] of attacks) {
    const startedAt = performance.now();
    t.notOk(matches(pattern, text), pattern);
    const ms = performance.now() - startedAt;
    t.ok(ms < 2_000, `${Math.round(ms)} ms`);
  }
});

await t.test("patterns look at the first part of a very long value only", async (t) => {
  const { patternInputMax } = ruleLimits;
  t.ok(matches("a+", `${"a".repeat(patternInputMax)}b`));
  t.notOk(matches("a+", `${"a".repeat(patternInputMax - 1)}b`));
  const rules = compiled('rules:\n  - { id: a, group_by: [], match: { annotations.x: { glob: "a*a" } } }');
  t.equal(rules.match(facts({ annotations: { x: `${"a".repeat(patternInputMax)}b` } })).rule.id, "a");
});

const globs: readonly (readonly [string, string, boolean])[] = [
  ["*", "anything\nat all", true],
  ["a*", "abc", true],
  ["a*", "ba", false],
  ["*c", "abc", true],
  ["*c", "abcd", false],
  ["a*c", "ac", true],
  ["ab*ba", "aba", false],
  ["a*b*c", "axxbxxc", true],
  ["a*b*c", "axxcxxb", false],
  ["*ab*ab*", "abab", true],
  ["*ab*ab*", "aab", false],
  ["?", "a", true],
  ["?", "🔥", true],
  ["??", "🔥", false],
  ["*?", "🔥", true],
  ["db-??-*", "db-01-x", true],
  ["\\*", "*", true],
  ["\\*", "a", false],
  ["a\\", "a\\", true],
  ["[ab]", "a", false],
  ["[ab]", "[ab]", true],
  ["{a,b}", "a", false],
];

function globMatches(glob: string, text: string): boolean {
  const yaml = `rules:\n  - { id: a, group_by: [], match: { annotations.x: { glob: ${JSON.stringify(glob)} } } }`;
  return compiled(yaml).match(facts({ annotations: { x: text } })).rule.id === "a";
}

await t.test("a glob fits the whole value, character by character", async (t) => {
  for (const [glob, text, expected] of globs) {
    t.equal(globMatches(glob, text), expected, `${glob} on ${text}`);
  }
});

await t.test("a glob of many stars does not run away", async (t) => {
  const startedAt = performance.now();
  t.notOk(globMatches("*a".repeat(200), `${"a".repeat(8_000)}b`));
  t.notOk(globMatches(`${"*?a".repeat(150)}b`, "a".repeat(8_000)));
  t.ok(performance.now() - startedAt < 2_000);
});

await t.test("a value fits the glob that is the value itself with its special characters escaped", async () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40, unit: "binary" }), (text) =>
      globMatches(text.replace(/[\\*?]/g, "\\$&"), text),
    ),
    { numRuns: 200 },
  );
});
