import { canonicalJson, ruleSetDigest } from "@winnow/rules";
import fc from "fast-check";
import t from "tap";
import { ruleSetOf, sha256 } from "./helpers.ts";

await t.test("canonical JSON is JSON with sorted keys and without white space", async (t) => {
  t.equal(
    canonicalJson({ b: [1, "x", null, true], a: { z: 0.5, y: undefined } }),
    '{"a":{"z":0.5},"b":[1,"x",null,true]}',
  );
  t.equal(canonicalJson({ "\u00e9": 1, Z: 2, a: 3 }), '{"Z":2,"a":3,"\u00e9":1}');
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, undefined, 1n, () => 0, [undefined]]) {
    t.throws(() => canonicalJson(value), TypeError);
  }
});

await t.test("the order of keys changes nothing, and what is read back is the same", async () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).toReversed());
      const text = canonicalJson(value);
      return text === canonicalJson(turned) && text === canonicalJson(JSON.parse(text));
    }),
  );
});

await t.test("a digest changes with any decision and with nothing else", async (t) => {
  const digestOf = (yaml: string): string => ruleSetDigest(ruleSetOf(yaml), sha256);
  const rule = (more = ""): string => `rules:\n  - { id: a, group_by: [service], match: { host: b, title: c }${more} }`;
  t.match(digestOf(rule()), /^[0-9a-f]{64}$/);
  t.equal(
    digestOf(rule()),
    digestOf(`# a comment\n${rule(", stage: live, hold: { P1: 0s, default: 1m }")}`),
    "defaults written out",
  );
  const others = [
    rule(", hold: 5s"),
    rule(", stage: shadow"),
    `${rule()}\npriority: { urgency: { info: high } }`,
    "rules: []",
    "",
    rule().replace("host: b", "host: c"),
  ];
  t.equal(new Set([rule(), ...others].map(digestOf)).size, others.length + 1);
});
