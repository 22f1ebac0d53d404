import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { SinkResult, TicketContent } from "@winnow/ports";
import type { FaultKind, Operation, SinkFake, SinkType } from "@winnow/sinks";
import type { Test } from "tap";
import { call, confirm, lookUp, open, openFake, shownNotes, theOne, value } from "./sink-rig.ts";
import { ticketBeganMs, ticketContent, ticketMember, ticketNote } from "./ticket-content.ts";

/** Short, since tests wait for it, and far below the time limits of the fakes' configurations. */
const delayMs = 60;

/**
 * What every kind of destination has to keep. Kinds come from the registry and are held equal with the folders below
 * `folder` (the sinks' source), so that none opts out silently.
 */
export async function sinkContract(
  t: Test,
  options: {
    readonly sinkTypes: readonly SinkType[];
    readonly folder: URL;
    /** Settings of kinds that have no fake, by name. */
    readonly configs: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await t.test("every sink folder is in the registry, and the other way round", async (t) => {
    const folders = readdirSync(options.folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/index.ts`, options.folder)))
      .map((entry) => entry.name);
    t.strictSame(options.sinkTypes.map((sink) => sink.type).toSorted(), folders.toSorted());
  });
  for (const sink of options.sinkTypes) {
    await t.test(sink.type, async (t) => {
      await everySink(t, sink, {
        folder: new URL(`${sink.type}/`, options.folder),
        config: options.configs[sink.type],
      });
      if (sink.fake === undefined) {
        t.equal(sink.class, "E", "only a sink without a vendor to ask may be without a fake");
      } else {
        await sinkWithFake(t, sink, sink.fake);
      }
    });
  }
}

async function everySink(
  t: Test,
  type: SinkType,
  { folder, config }: { readonly folder: URL; readonly config: unknown },
): Promise<void> {
  await t.test("the README says the guarantee in the words that are printed", async (t) => {
    const readme = readFileSync(new URL("README.md", folder), "utf8").replace(/\s+/g, " ");
    t.ok(readme.includes(type.guarantee), type.guarantee);
  });

  await t.test("the sink says of itself what its kind says", async (t) => {
    const { sink } = await open(t, type, config);
    t.strictSame([sink.type, sink.class, sink.guarantee], [type.type, type.class, type.guarantee]);
    t.equal(sink.find === undefined, type.class === "E", "only class E has nothing to look up");
  });

  await t.test("with the lease over nothing is sent", async (t) => {
    const { sink, fake } = await open(t, type, config);
    const late = { ...call, beforeSend: () => false };
    const result = await sink.create(ticketContent(), late);
    t.match(result, { kind: "refused", retry: "later", code: "http_not_sent" });
    t.equal(fake?.ledger().length ?? 0, 0);
  });

  await t.test("a call that was aborted beforehand sends nothing", async (t) => {
    const { sink, fake } = await open(t, type, config);
    const result = await sink.create(ticketContent(), { ...call, signal: AbortSignal.abort() });
    t.match(result, { kind: "refused", retry: "later" });
    t.equal(fake?.ledger().length ?? 0, 0);
  });
}

async function sinkWithFake(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  await lifecycle(t, type, fake);
  await lostCreates(t, type, fake);
  await lostUpdates(t, type, fake);
  await lookups(t, type);
  await hostileText(t, type, fake);
  await secrecy(t, type, fake);
}

async function lifecycle(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  await t.test("a ticket is created, noted on, resolved and opened again, and stays one", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    value(await sink.update(remote, withNotes(1, 2), call));
    value(await sink.update(remote, resolvedContent(), call));
    t.equal(theOne(fake, server).state, "resolved");
    value(await sink.update(remote, reopenedContent(), call));
    const ticket = theOne(fake, server);
    t.equal(ticket.state, "open");
    t.equal(ticket.remote_id, remote.remote_id);
    t.strictSame(shownNotes(ticket), [1, 2, 3, 4], "each note once, in sequence");
  });

  await t.test("an incident that resolved before its ticket was created gives a resolved ticket", async (t) => {
    const { sink, server } = await openFake(t, type);
    value(await sink.create(resolvedContent(), call));
    t.equal(theOne(fake, server).state, "resolved");
  });

  await t.test("doing an update twice shows its notes once", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    value(await sink.update(remote, withNotes(1, 2), call));
    value(await sink.update(remote, withNotes(1, 2, 3), call));
    t.strictSame(shownNotes(theOne(fake, server)), [1, 2, 3]);
  });

  await t.test("a ticket that is closed for good is gone, but not for an incident that is over", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    server.inject({ kind: "closed" });
    t.equal((await sink.update(remote, withNotes(1), call)).kind, "gone");
    t.equal((await sink.update(remote, resolvedContent(), call)).kind, "done");
    const successor = ticketContent({ key: "winnow:test:i-7:snow:2", predecessor: remote.remote_id });
    t.not(value(await sink.create(successor, call)).remote_id, remote.remote_id);
  });

  await t.test("a ticket that closes between looking and writing is gone too", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    server.inject({ kind: "closed", on: "update" });
    t.equal((await sink.update(remote, withNotes(1), call)).kind, "gone");
  });
}

type Expected = { readonly kind: SinkResult<unknown>["kind"]; readonly retry?: "later" | "never" | "auth" };

const writeFaults: readonly (readonly [FaultKind, Expected])[] = [
  ["drop_reply", { kind: "unknown" }],
  ["late_commit", { kind: "unknown" }],
  ["rate_limit", { kind: "refused", retry: "later" }],
  ["server_error", { kind: "unknown" }],
  ["unauthorized", { kind: "refused", retry: "auth" }],
  ["html_200", { kind: "unknown" }],
  ["slow", { kind: "done" }],
];

async function lostCreates(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  for (const [kind, expected] of writeFaults) {
    await t.test(`a create that meets ${kind} is ${expected.kind}`, async (t) => {
      const { sink, server } = await openFake(t, type);
      server.inject({ kind, delay_ms: delayMs, on: "create" });
      t.match(await sink.create(ticketContent(), call), expected);
    });
  }

  await t.test("a rate limit says how long to wait", async (t) => {
    const { sink, server } = await openFake(t, type);
    server.inject({ kind: "rate_limit", delay_ms: 7000 });
    t.match(await sink.create(ticketContent(), call), { retry: "later", retryAfterMs: 7000 });
  });

  await t.test("the ticket of a create whose answer was lost is found by its key and adopted", async (t) => {
    const { sink, server } = await openFake(t, type);
    server.inject({ kind: "drop_reply" });
    await sink.create(ticketContent(), call);
    const found = value(await lookUp(sink, ticketContent().key));
    t.equal(found?.remote_id, theOne(fake, server).remote_id);
    t.strictSame(found?.twins, []);
    t.equal(value(await lookUp(sink, "winnow:test:i-7:snow:2")), null, "another key is not");
  });

  await t.test("a ticket that the vendor commits after the connection was cut is found once it is there", async (t) => {
    const { sink, server } = await openFake(t, type);
    server.inject({ kind: "late_commit", delay_ms: delayMs });
    await sink.create(ticketContent(), call);
    t.equal(value(await lookUp(sink, ticketContent().key)), null, "the vendor is still at work");
    await server.until((entries) => entries.length > 0);
    t.equal(value(await lookUp(sink, ticketContent().key))?.remote_id, theOne(fake, server).remote_id);
  });
}

async function lostUpdates(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  for (const [kind, expected] of writeFaults) {
    await t.test(`an update that meets ${kind} is ${expected.kind}, and its notes end up there once`, async (t) => {
      const { sink, server } = await openFake(t, type);
      const remote = value(await sink.create(ticketContent(), call));
      server.inject({ kind, delay_ms: delayMs, on: "update" });
      t.match(await sink.update(remote, withNotes(1, 2), call), expected);
      if (kind === "late_commit") {
        t.equal(value(await confirm(sink, remote, withNotes(1, 2))), false, "the vendor is still at work");
        await server.until((entries) => entries.some((entry) => entry.op === "note"));
      }
      const isThere = ["drop_reply", "late_commit", "slow"].includes(kind);
      t.equal(value(await confirm(sink, remote, withNotes(1, 2))), isThere);
      value(await sink.update(remote, withNotes(1, 2, 3), call));
      t.strictSame(shownNotes(theOne(fake, server)), [1, 2, 3]);
    });
  }

  for (const kind of ["rate_limit", "server_error", "html_200", "unauthorized"] as const) {
    await t.test(`an update that meets ${kind} before it wrote anything is refused`, async (t) => {
      const { sink, server } = await openFake(t, type);
      const remote = value(await sink.create(ticketContent(), call));
      server.inject({ kind, on: "read" });
      t.match(await sink.update(remote, withNotes(1), call), { kind: "refused" });
      server.clearFaults();
      t.strictSame(shownNotes(theOne(fake, server)), []);
    });
  }

  await t.test("a lost update without notes is confirmed by the ticket's state", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    const over = { ...resolvedContent(), notes: [] };
    t.equal(value(await confirm(sink, remote, over)), false);
    server.inject({ kind: "drop_reply", on: "update" });
    t.equal((await sink.update(remote, over, call)).kind, "unknown");
    t.equal(value(await confirm(sink, remote, over)), true);
  });
}

async function lookups(t: Test, type: SinkType): Promise<void> {
  for (const kind of ["rate_limit", "server_error", "unauthorized", "html_200"] as const) {
    await t.test(`a lookup that meets ${kind} is refused, never a "there is none"`, async (t) => {
      const { sink, server } = await openFake(t, type);
      server.inject({ kind, on: "search" });
      t.match(await lookUp(sink, ticketContent().key), { kind: "refused" });
    });
  }

  await t.test("an unrelated row in a lookup is not taken for ours", async (t) => {
    const { sink, server } = await openFake(t, type);
    server.inject({ kind: "unrelated_row", count: 2 });
    t.equal(value(await lookUp(sink, ticketContent().key)), null);
    const remote = value(await sink.create(ticketContent(), call));
    t.match(value(await lookUp(sink, ticketContent().key)), { remote_id: remote.remote_id, twins: [] });
  });

  await t.test("of two tickets with one key the oldest open one is adopted and the other is reported", async (t) => {
    const { sink, server } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    server.inject({ kind: "two_rows" });
    const found = value(await lookUp(sink, ticketContent().key));
    t.equal(found?.remote_id, remote.remote_id);
    t.equal(found?.twins.length, 1);
    server.inject({ kind: "closed" });
    await sink.update(remote, withNotes(1), call);
    t.equal(value(await lookUp(sink, ticketContent().key))?.remote_id, found?.twins[0]?.remote_id);
  });

  await t.test(
    "a lookup that lags behind says that there is none, which is why answers must be waited for",
    async (t) => {
      const { sink, server } = await openFake(t, type);
      value(await sink.create(ticketContent(), call));
      server.inject({ kind: "search_lag", delay_ms: 60_000 });
      t.equal(value(await lookUp(sink, ticketContent().key)), null);
      t.not(value(await lookUp(sink, ticketContent().key)), null);
    },
  );
}

/** Quotes, query operators, markup, our own marks, invisible characters, and more than any field holds. */
const hostile = `a"b'c\`^d^ORDERBY=x <script>alert(1)</script> [code]<b>x</b>[/code] {{x}} %24 \\ [winnow #9999]
[winnow #9999]\u2028[winnow #9999]\r[winnow #9999] \u0000\u202e\ud800 e\u0301 👩‍👩‍👧‍👦 ${"👩‍👩‍👧‍👦".repeat(1000)} ${"x".repeat(10_000)}`;

async function hostileText(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  await t.test("hostile text in every place is stored as text and changes nothing else", async (t) => {
    const { sink, server } = await openFake(t, type);
    const content = ticketContent({
      key: `winnow:test:${hostile}:1`,
      incident: {
        title: hostile,
        description: hostile,
        service: hostile,
        category: hostile,
        assignment_group: hostile,
        contact: hostile,
        group_key: [{ k: hostile, v: hostile }],
      },
      members: [ticketMember({ title: hostile, host: hostile, severity: "critical" })],
      notes: [ticketNote(1, "noted", { actor: hostile }), ticketNote(2, "noted", { actor: "dana", text: hostile })],
    });
    const remote = value(await sink.create(content, call));
    t.equal(value(await lookUp(sink, content.key))?.remote_id, remote.remote_id);
    t.equal(value(await confirm(sink, remote, content)), true);
    t.equal(value(await confirm(sink, remote, { ...content, notes: [ticketNote(3, "joined")] })), false);
    const ticket = theOne(fake, server);
    t.strictSame(shownNotes(ticket), [1, 2]);
    for (const text of [ticket.title, ticket.description, ...ticket.notes]) {
      t.ok(
        text.isWellFormed() && !text.includes("\0") && !text.includes("\u202e"),
        "well-formed, and nothing invisible",
      );
      t.notMatch(text, /\u200d…/u, "no family is torn apart at the cut");
    }
    t.ok(ticket.title.startsWith(`a"b'c\`^d^ORDERBY=x <script>alert(1)</script>`), "markup is kept as text");
    t.match(ticket.description, /truncated, see link/);
    t.ok(ticket.description.includes(content.url), "the link back survives");
  });

  await t.test("a thousand members and a hundred notes leave the link and the last note in place", async (t) => {
    const { sink, server } = await openFake(t, type);
    const members = Array.from({ length: 50 }, (_, at) =>
      ticketMember({ title: `Alert ${at} ${"y".repeat(200)}`, host: `web-${at}`, severity: "error" }),
    );
    const notes = Array.from({ length: 100 }, (_, at) => ticketNote(at + 1, "noted", { text: "z".repeat(900) }));
    const content = ticketContent({ members, notes, incident: { member_count: 1000, open_member_count: 1000 } });
    value(await sink.create(content, call));
    const ticket = theOne(fake, server);
    t.ok(ticket.description.includes(content.url));
    t.match(ticket.description, /… and 9\d\d more, see link/);
    t.equal(shownNotes(ticket).at(-1), 100);
  });
}

async function secrecy(t: Test, type: SinkType, fake: SinkFake): Promise<void> {
  await t.test("no secret comes back in a result, whatever goes wrong", async (t) => {
    const { sink, server, warnings } = await openFake(t, type);
    const remote = value(await sink.create(ticketContent(), call));
    const results: unknown[] = [remote];
    const operations: readonly Operation[] = ["create", "update", "read", "search"];
    for (const kind of ["drop_reply", "rate_limit", "server_error", "unauthorized", "html_200"] as const) {
      for (const on of operations) {
        if (kind !== "drop_reply" || on === "create" || on === "update") {
          server.clearFaults();
          server.inject({ kind, on });
          results.push(await sink.create(ticketContent(), call));
          results.push(await sink.update(remote, withNotes(results.length), call));
          results.push(await lookUp(sink, ticketContent().key));
        }
      }
    }
    await server.close();
    results.push(await sink.create(ticketContent(), call), await lookUp(sink, "x"));
    t.match(results.at(-1), { kind: "refused", retry: "later", code: "http_not_sent" });
    const text = JSON.stringify([results, warnings]);
    t.ok(fake.secrets.length > 0 && !fake.secrets.some((secret) => text.includes(secret)));
  });
}

function withNotes(...seqs: readonly number[]): TicketContent {
  return ticketContent({ notes: seqs.map((seq) => ticketNote(seq, "joined")), incident: { version: 1 + seqs.length } });
}

function resolvedContent(): TicketContent {
  const incident = { state: "resolved", resolved_ms: ticketBeganMs + 180_000, open_member_count: 0 } as const;
  return ticketContent({ incident, notes: [ticketNote(3, "resolved")] });
}

function reopenedContent(): TicketContent {
  return ticketContent({ notes: [ticketNote(4, "reopened")] });
}
