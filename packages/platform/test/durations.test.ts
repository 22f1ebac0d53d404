import { formatBytes, formatDuration, parseBytes, parseDuration } from "@winnow/platform";
import fc from "fast-check";
import t from "tap";

await t.test("durations are read in ms, with sums from large to small", async (t) => {
  const cases: readonly (readonly [string, number])[] = [
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["4h", 14_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
  ];
  for (const [text, ms] of cases) t.same(parseDuration(text), { ok: true, value: ms }, text);
});

await t.test("what is no duration is refused with what to write instead", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ["30", "add a unit: 30s"],
    ["5 m", "write number and unit without a space: 30s"],
    ["30m1h", "order the units from large to small, each once: 1h30m"],
    ["1h1h", "order the units from large to small, each once: 1h30m"],
    ["5min", "units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d"],
    ["-5s", "units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d"],
    ["1.5h", "units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d"],
    ["", "units are ms, s, m, h, d, w: 30s, 5m, 1h30m, 7d"],
  ];
  for (const [text, hint] of cases) t.match(parseDuration(text), { ok: false, hint }, text);
  t.match(parseDuration("99999999999999w"), { ok: false, message: /more than 100 years/ });
});

await t.test("a written duration is read back as the same number", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => {
      const parsed = parseDuration(formatDuration(ms));
      return parsed.ok && parsed.value === ms;
    }),
  );
});

await t.test("sizes are read in bytes, powers of two by their i", async (t) => {
  t.same(parseBytes("5MiB"), { ok: true, value: 5_242_880 });
  t.same(parseBytes("20GiB"), { ok: true, value: 21_474_836_480 });
  t.same(parseBytes("5MB"), { ok: true, value: 5_000_000 });
  t.same(parseBytes("1.5 KiB"), { ok: true, value: 1_536 });
  t.same(parseBytes("512B"), { ok: true, value: 512 });
  t.match(parseBytes("512"), { ok: false, hint: "add a unit: 512B" });
  t.match(parseBytes("5mb"), { ok: false });
  t.match(parseBytes("99999999TiB"), { ok: false, message: /too large/ });
});

await t.test("a written size is read back as the same number", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (bytes) => {
      const parsed = parseBytes(formatBytes(bytes));
      return parsed.ok && parsed.value === bytes;
    }),
  );
});
