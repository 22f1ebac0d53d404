import type { SinkCall } from "@winnow/ports";
import { ticketContent, ticketNote } from "@winnow/testkit";
import t from "tap";
import { logSink } from "../src/log/index.ts";
import { clip, lasted, lengthOf } from "../src/text.ts";

const call: SinkCall = { signal: new AbortController().signal, beforeSend: () => true };

function open(format: "text" | "json") {
  const lines: string[] = [];
  const sink = logSink.create(
    { format },
    {
      destination: "out",
      httpClient: () => {
        throw new Error("the log sink speaks no HTTP");
      },
      clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
      log: { warn: () => undefined },
      print: (line) => lines.push(line),
    },
  );
  return { sink, lines };
}

await t.test("each change of a ticket is one line with the ticket's stable id and its version", async (t) => {
  const { sink, lines } = open("text");
  const created = await sink.create(ticketContent(), call);
  t.match(created, { kind: "done", value: { remote_id: "winnow:test:i-7:snow:1" } });
  const remote = { remote_id: "winnow:test:i-7:snow:1", remote_url: null };
  await sink.update(remote, ticketContent({ incident: { version: 2 } }), call);
  await sink.update(remote, ticketContent({ incident: { version: 3, state: "resolved" } }), call);
  await sink.update(remote, ticketContent({ incident: { version: 4 }, notes: [ticketNote(1, "reopened")] }), call);
  const rest =
    "P2 checkout: checkout: Error rate above 5 % (2 of 2 alerts firing) https://winnow.example/incidents/i-7";
  const words = ["opened", "updated", "resolved", "reopened"];
  t.strictSame(
    lines,
    words.map((word, at) => `ticket ${word} ${rest} winnow:test:i-7:snow:1 v${at + 1}`),
  );
});

await t.test("a title cannot break the line or move the cursor", async (t) => {
  for (const format of ["text", "json"] as const) {
    const { sink, lines } = open(format);
    await sink.create(ticketContent({ incident: { title: `a\nticket opened\u001b[2J\r${"b".repeat(500)}` } }), call);
    t.equal(lines.length, 1);
    t.notOk(lines[0]?.includes("\n") === true || lines[0]?.includes("\u001b") === true);
    t.ok(lengthOf(lines[0] ?? "") < 500);
  }
});

await t.test("JSON lines are JSON", async (t) => {
  const { sink, lines } = open("json");
  await sink.create(ticketContent(), call);
  t.match(JSON.parse(lines[0] ?? ""), {
    ticket: "winnow:test:i-7:snow:1",
    version: 1,
    change: "opened",
    priority: "P2",
  });
});

await t.test("a text is cut between graphemes and says so", (t) => {
  t.equal(clip("abc", 3), "abc");
  t.equal(clip("abcd", 3, "…"), "ab…");
  t.equal(clip("ab👩‍👩‍👧‍👦cd", 6, "…"), "ab…", "a family of seven code points does not fit");
  t.equal(clip("ae\u0301x", 3, "…"), "a…", "an accent stays with its letter");
  t.equal(lengthOf(clip("👍".repeat(500), 160)), 160, "counted in code points, not in code units");
  t.end();
});

await t.test("durations read as people say them", (t) => {
  const cases = [
    [0, "0 s"],
    [59_400, "59 s"],
    [60_000, "1 min"],
    [3_599_000, "1 h"],
    [3_900_000, "1 h 5 min"],
    [187_200_000, "2 d 4 h"],
    [-5, "0 s"],
  ] as const;
  for (const [ms, text] of cases) {
    t.equal(lasted(ms), text);
  }
  t.end();
});
