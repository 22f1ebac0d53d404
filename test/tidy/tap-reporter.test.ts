import { once } from "node:events";
import t from "tap";
import { parseTally } from "../../tools/tally.ts";
import TapReporter from "../../tools/tap-reporter.ts";

const RUN = `TAP version 14
# Subtest: test/good.test.ts
    # Subtest: group
        ok 1 - fine
        ok 2 - needs a broker # SKIP no broker here
        1..2
    ok 1 - group # time=1ms
    1..1
ok 1 - test/good.test.ts # time=2ms

# Subtest: test/bad.test.ts
    # Subtest: group
        ok 1 - hidden
        not ok 2 - one is two
          ---
          diff: shown
          ...
        1..2
    not ok 1 - group # time=1ms
    ok 2 - later # TODO
    1..2
not ok 2 - test/bad.test.ts # time=2ms
  ---
  exitCode: 1
  ...

not ok 3 - test/crashed.test.ts # time=2ms
# { total: 6, pass: 2, fail: 1, skip: 1, todo: 1 }
# time=9ms
`;

await t.test("the last line is the tally alone, and what is still to do counts as skipped", async (t) => {
  const lines = (await report([RUN])).trimEnd().split("\n");
  t.equal(lines.at(-1), "2 passed, 2 failed, 2 skipped");
  t.same(parseTally(lines.at(-1) ?? ""), { passed: 2, failed: 2, skipped: 2 });
});

await t.test("a process that died after its last assertion counts as one failed", async (t) => {
  const run =
    "# Subtest: test/a.test.ts\n    ok 1 - fine\n    1..1\nnot ok 1 - test/a.test.ts\n# { total: 1, pass: 1 }\n";
  t.match(await report([run]), /\n1 passed, 1 failed, 0 skipped\n$/);
});

await t.test("failures are shown and listed by their whole path, once", async (t) => {
  const text = await report([RUN]);
  t.match(text, "diff: shown");
  t.match(text, "==== FAILED: 2 ====\n  test/bad.test.ts > group > one is two\n  test/crashed.test.ts\n");
  t.notMatch(text, "hidden");
  t.match(text, "exitCode: 1", "how the file's process ended is shown");
});

await t.test("skipped tests are listed with their reason, also those in files that passed", async (t) => {
  t.match(
    await report([RUN]),
    "==== SKIPPED: 2 ====\n  test/good.test.ts > group > needs a broker (no broker here)\n  test/bad.test.ts > later\n",
  );
});

await t.test("the report does not depend on how the stream is cut", async (t) => {
  const bytes = Buffer.from(RUN.replace("diff: shown", "diff: shöwn"));
  const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
  t.equal(await report(single), await report([bytes]));
});

await t.test("a stream that ends without totals is a failure, and what was pending is shown", async (t) => {
  const text = await report(["TAP version 14\n# Subtest: test/a.test.ts\n    not ok 1 - last words\n"]);
  t.match(text, "last words");
  t.equal(text.trimEnd().split("\n").at(-1), "0 passed, 1 failed, 0 skipped");
});

async function report(chunks: readonly (string | Buffer)[]): Promise<string> {
  const reporter = new TapReporter();
  let text = "";
  reporter.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  const ended = once(reporter, "end");
  for (const chunk of chunks) {
    reporter.write(chunk);
  }
  reporter.end();
  await ended;
  return text;
}
