import t from "tap";
import { table } from "../../src/commands/table.ts";
import { age, ago, clip, plain, roughDuration, textWidth, wrap } from "../../src/commands/words.ts";

await t.test("durations show their two largest units, ages the largest", async (t) => {
  const s = 1_000;
  const cases: readonly (readonly [number, string])[] = [
    [-5 * s, "0s"],
    [0, "0s"],
    [59.9 * s, "59s"],
    [60 * s, "1m"],
    [125 * s, "2m5s"],
    [754 * s, "12m"],
    [3_600 * s, "1h"],
    [3_900 * s, "1h5m"],
    [26 * 3_600 * s, "1d2h"],
    [400 * 86_400 * s, "400d"],
  ];
  for (const [ms, text] of cases) t.equal(roughDuration(ms), text);
  const now = Date.UTC(2026, 10, 24);
  t.equal(ago("2026-11-23T22:58:00.000Z", now), "1h2m");
  t.equal(age("2026-11-23T22:58:00.000Z", now), "1h");
  t.equal(age("2026-11-24T00:00:15.000Z", now), "in 15s");
  t.equal(age(null, now), "-");
});

await t.test("width counts columns, not characters", async (t) => {
  t.equal(textWidth("abc"), 3);
  t.equal(textWidth("日本"), 4);
  t.equal(textWidth("e\u0301"), 1);
  t.equal(textWidth("🔥!"), 3);
  t.equal(textWidth("ä€"), 2);
});

await t.test("clipping never exceeds its columns", async (t) => {
  for (const text of ["abcdef", "日本語日本語", "a日b本c", "🔥🔥🔥"]) {
    for (let columns = 1; columns < 14; columns += 1) {
      const cut = clip(text, columns);
      t.ok(textWidth(cut) <= columns, `${text} ${columns}`);
      t.equal(cut.endsWith("…"), textWidth(text) > columns, `${text} ${columns}`);
    }
  }
});

await t.test("wrapping keeps every word and breaks only at spaces", async (t) => {
  const text = "the quick brown fox jumps overtheverylongfence and rests";
  for (let columns = 5; columns < 60; columns += 5) {
    const lines = wrap(text, columns);
    t.equal(lines.join(" "), text);
    t.ok(lines.every((line) => textWidth(line) <= columns || !line.includes(" ")));
  }
});

await t.test("line breaks become spaces and control characters visible", async (t) => {
  t.equal(plain("a\r\n  b\tc\u001b[1md\u009be\u2066f"), "a b c\ufffd[1md\ufffde\ufffdf");
});

await t.test("a table fits the terminal by cutting its flexible columns alone", async (t) => {
  const columns = [
    { head: "ID", cell: (row: { id: string; title: string }) => row.id },
    { head: "TITLE", cell: (row: { id: string; title: string }) => row.title, flexible: true },
    { head: "END", cell: () => "end" },
  ];
  const rows = [{ id: "1", title: "x".repeat(90) }];
  const paint = (_: unknown, text: string): string => text;
  const narrow = table(columns, rows, { paint, width: 40 });
  t.same(
    narrow.split("\n").map((line) => line.length),
    [40, 40, 0],
  );
  t.match(narrow, /^1 {3}x{30}… {2}end$/m);
  const pipe = table(columns, rows, { paint, width: null });
  t.match(pipe, /x{90}/, "what goes into a pipe is whole");
});
