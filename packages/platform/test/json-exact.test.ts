import fc from "fast-check";
import t from "tap";
import { parseJsonExact } from "../src/json-exact.ts";

const options = { maxDepth: 64 };

function value(text: string): unknown {
  const result = parseJsonExact(text, options);
  if (!result.ok) throw new Error(`${result.fault}: ${result.message}`);
  return result.value;
}

function fault(text: string): string {
  const result = parseJsonExact(text, options);
  return result.ok ? "none" : result.fault;
}

await t.test("integers of 16 digits and more keep every digit, as strings", async (t) => {
  t.same(value('{"id":285731000000025126,"neg":-7010293847566738291,"list":[1, 9007199254740993 ]}'), {
    id: "285731000000025126",
    neg: "-7010293847566738291",
    list: [1, "9007199254740993"],
  });
  t.equal(value("1234567890123456"), "1234567890123456");
});

await t.test("integers of 15 digits and fewer, fractions and small exponents stay numbers", async (t) => {
  t.same(
    value("[123456789012345, -1, 0, 0.1234567890123456, 1e3, 1.5E-7, 9e307]"),
    [123456789012345, -1, 0, 0.1234567890123456, 1000, 1.5e-7, 9e307],
  );
});

await t.test("a number beyond the range of a double is kept as text, never as Infinity", async (t) => {
  t.same(value('{"a":1e400,"b":-1E+999,"c":9e999}'), { a: "1e400", b: "-1E+999", c: "9e999" });
  const nines = "9".repeat(1_000_000);
  t.equal(value(nines), nines);
});

await t.test("digits inside strings and keys are left alone", async (t) => {
  t.same(value('{"1234567890123456789":"9999999999999999999","a\\"1111111111111111111":"\\\\"}'), {
    "1234567890123456789": "9999999999999999999",
    'a"1111111111111111111': "\\",
  });
});

await t.test("broken JSON is not made good by keeping numbers", async (t) => {
  for (const text of [
    "{1234567890123456789:1}",
    "{1234567890123456789 : 1}",
    "[01234567890123456789]",
    "[-]",
    "[1234567890123456789.]",
    "[12345678901234567e]",
    "[1e400e1]",
    '"abc',
    "{",
    "",
    "[1,]",
    "12345678901234567 1",
  ]) {
    t.equal(fault(text), "syntax", text);
  }
});

await t.test("64 levels are read, 65 and 500,000 are refused before anything is built", async (t) => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  t.equal(fault(nested(64)), "none");
  t.equal(fault(nested(65)), "too_deep");
  t.equal(fault(nested(5_000)), "too_deep");
  t.equal(fault("[".repeat(500_000)), "too_deep");
  t.equal(fault(`${'{"a":'.repeat(65)}1${"}".repeat(65)}`), "too_deep");
  t.equal(fault(JSON.stringify(Array.from({ length: 500 }, () => [[]]))), "none", "siblings do not add up");
  t.equal(fault(`["${"[".repeat(500)}"]`), "none", "brackets inside strings do not count");
});

await t.test("__proto__ and constructor are plain own properties", async (t) => {
  const parsed = value('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"n":12345678901234567}');
  t.ok(Object.hasOwn(parsed as object, "__proto__"));
  t.equal(Object.getPrototypeOf(parsed), Object.prototype);
  t.notOk("polluted" in {});
});

await t.test("messages never quote the text, which may hold secrets", async (t) => {
  const result = parseJsonExact('{"token": "s3cret" x}', options);
  t.notOk(result.ok);
  t.notMatch(JSON.stringify(result), /s3c/);
  t.match(JSON.stringify(result), /character 19/);
  t.equal(fault("s3cret"), "syntax");
});

await t.test("for JSON without inexact numbers it agrees with JSON.parse", async (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      const plain = /\d{16}|e[+-]?\d{3}/i.test(text);
      if (!plain) t.same(value(text), JSON.parse(text));
    }),
    { numRuns: 300 },
  );
});

await t.test("whatever the text, it accepts exactly what JSON.parse accepts", async (t) => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "\\",
    "-",
    "1",
    "1234567890123456789",
    "1e400",
    "a",
    " ",
  );
  const property = fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const text = pieces.join("");
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false;
    }
    return parseJsonExact(text, options).ok === valid;
  });
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 5_000 });
  });
});
