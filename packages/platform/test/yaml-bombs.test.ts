import { checkYaml, yamlLimits } from "@winnow/platform";
import t from "tap";
import { Type } from "typebox";

const open = Type.Unknown();

function check(text: string) {
  const startedAt = performance.now();
  const checked = checkYaml(text, "bomb.yaml", open, { env: {} });
  return { codes: checked.ok ? [] : checked.errors.map(({ code }) => code), ms: performance.now() - startedAt };
}

/** Far above what any of these takes, far below what an unbounded reader takes. */
const soonMs = 2_000;

const bombs: Readonly<Record<string, readonly [text: string, code: string]>> = {
  "a billion laughs": [
    [
      "a0: &a0 [x, x, x, x, x, x, x, x, x]",
      ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`),
    ].join("\n"),
    "yaml_too_many_aliases",
  ],
  "many plain aliases": [
    `a: &a x\nb: [${Array(yamlLimits.aliasesMax + 1)
      .fill("*a")
      .join(", ")}]`,
    "yaml_too_many_aliases",
  ],
  "an alias of itself": ["a: &a { b: *a }", "yaml_too_deep"],
  "deep lists": ["[".repeat(200_000), "yaml_too_deep"],
  "deep mappings": ["{a: ".repeat(60_000), "yaml_too_deep"],
  "deep lists on one line": ["- ".repeat(100_000), "yaml_too_deep"],
  "deep explicit keys": ["? ".repeat(100_000), "yaml_too_deep"],
  "deep indentation": [Array.from({ length: 500 }, (_, n) => `${" ".repeat(n)}a:`).join("\n"), "yaml_too_deep"],
  "a text over the size": [`a: ${"x".repeat(yamlLimits.textLengthMax)}`, "yaml_too_large"],
};

for (const [name, [text, code]] of Object.entries(bombs)) {
  await t.test(`${name} end in one clear error, soon`, async (t) => {
    const { codes, ms } = check(text);
    t.same(codes, [code]);
    t.ok(ms < soonMs, `${Math.round(ms)} ms`);
  });
}

await t.test("what lies at the limits is read", async (t) => {
  t.same(check(`${"[".repeat(yamlLimits.depthMax)}${"]".repeat(yamlLimits.depthMax)}`).codes, []);
  t.same(check(`a: &a x\nb: [${Array(yamlLimits.aliasesMax).fill("*a").join(", ")}]`).codes, []);
  t.same(check(`a: ${"x".repeat(yamlLimits.textLengthMax - 3)}`).codes, []);
});

await t.test("tens of thousands of keys and brackets inside texts cost no more than their length", async (t) => {
  const keys = check(Array.from({ length: 30_000 }, (_, n) => `a${n}:`).join("\n"));
  t.same(keys.codes, []);
  t.ok(keys.ms < soonMs, `${Math.round(keys.ms)} ms`);
  t.same(check(`a: "${"[{- ? ".repeat(1_000)}"`).codes, [], "brackets in a text are no nesting");
});
