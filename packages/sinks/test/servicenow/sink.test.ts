import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createHttpClient, hasCode } from "@winnow/platform";
import type { SinkCall, TicketSink } from "@winnow/ports";
import { ticketContent, ticketNote } from "@winnow/testkit";
import t, { type Test } from "tap";
import type { FakeReply, FakeServer } from "../../src/fake/server.ts";
import { startFakeServicenow } from "../../src/servicenow/fake.ts";
import { serviceNow } from "../../src/servicenow/index.ts";

const call: SinkCall = { signal: new AbortController().signal, beforeSend: () => true };
const nowMs = Date.UTC(2026, 2, 1, 10);
const sysId = "a".repeat(32);
const remote = { remote_id: sysId, remote_url: null };
const password = "pa55-w0rd";

interface Opened {
  readonly sink: TicketSink;
  readonly warnings: readonly string[];
  advance(ms: number): void;
}

function open(t: Test, url: string, settings: Readonly<Record<string, unknown>> = {}): Opened {
  const warnings: string[] = [];
  let monotonic = 0;
  const defaults = serviceNow.fake?.config(url) as Readonly<Record<string, unknown>>;
  const sink = serviceNow.create(
    { ...defaults, auth: { basic: { username: "winnow", password: { reveal: () => password } } }, ...settings },
    {
      destination: "snow",
      httpClient: (options) => createHttpClient({ allowNetworks: ["127.0.0.0/8"], ...options }),
      clock: { now: () => nowMs, monotonic: () => monotonic, sleep: () => Promise.resolve() },
      log: { warn: (_fields, message) => warnings.push(message) },
      print: () => undefined,
    },
  );
  t.teardown(() => sink.close());
  return { sink, warnings, advance: (ms) => (monotonic += ms) };
}

async function openFake(t: Test): Promise<FakeServer> {
  const fake = await startFakeServicenow({ listen: { host: "127.0.0.1", port: 0 } });
  t.teardown(() => fake.close());
  return fake;
}

/** A server that answers each request with the next reply, and keeps what it was asked. */
async function scripted(t: Test, ...replies: readonly FakeReply[]): Promise<{ url: string; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const reply = replies[asked.length] ?? { status: 500, body: "no more replies" };
    asked.push(request);
    response.writeHead(reply.status, reply.headers);
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const record = (more: Readonly<Record<string, string>> = {}) => ({
  result: { sys_id: sysId, number: "INC0010001", state: "1", correlation_id: "k", description: "", ...more },
});

await t.test("each way to authenticate works, and OAuth keeps its token until shortly before it ends", async (t) => {
  const fake = await openFake(t);
  const ways = [
    { basic: { username: "winnow", password: { reveal: () => password } } },
    { oauth: { client_id: "c", client_secret: { reveal: () => "s" } } },
    { api_key: { reveal: () => "k" } },
  ];
  for (const auth of ways) {
    t.equal((await open(t, fake.url, { auth }).sink.find?.("x", call))?.kind, "done");
  }
  const token = { status: 200, body: { access_token: "t", expires_in: 1800 } };
  const none = { status: 200, body: { result: [] } };
  const { url, asked } = await scripted(t, token, none, none, token, none);
  const { sink, advance } = open(t, url, { auth: ways[1] });
  for (const wait of [0, 1_739_000, 2000]) {
    advance(wait);
    t.equal((await sink.find?.("x", call))?.kind, "done");
  }
  t.strictSame(
    asked.map((request) => request.url?.split("?")[0]?.split("/").at(-1)),
    ["oauth_token.do", "incident", "incident", "oauth_token.do", "incident"],
  );
});

await t.test("an expired token is renewed once, a refused client is not asked again and again", async (t) => {
  const auth = { oauth: { client_id: "c", client_secret: { reveal: () => "s3cret" } } };
  const token = { status: 200, body: { access_token: "t", expires_in: 1800 } };
  const expired = { status: 401, body: { error: { message: "User Not Authenticated" } } };
  const created = { status: 201, body: record({ correlation_id: "winnow:test:i-7:snow:1" }) };
  const first = await scripted(t, token, expired, token, created);
  t.equal((await open(t, first.url, { auth }).sink.create(ticketContent(), call)).kind, "done");
  const second = await scripted(t, token, expired, token, expired);
  t.match(await open(t, second.url, { auth }).sink.create(ticketContent(), call), { kind: "refused", retry: "auth" });
  const third = await scripted(t, { status: 401, body: { error: "invalid_client s3cret" } });
  const refused = await open(t, third.url, { auth }).sink.create(ticketContent(), call);
  t.match(refused, { kind: "refused", retry: "auth", code: "oauth_token" });
  t.notOk(JSON.stringify(refused).includes("s3cret"));
});

await t.test("an answer that quotes the password comes back without it", async (t) => {
  const basic = Buffer.from(`winnow:${password}`).toString("base64");
  const detail = `${"x".repeat(280)} ${basic} ${password}`;
  const { url } = await scripted(t, { status: 403, body: { error: { message: `no ${password} ${basic}`, detail } } });
  const result = await open(t, url).sink.create(ticketContent(), call);
  t.match(result, { kind: "refused", retry: "never", code: "http_403", message: /no ••• •••/ });
  t.notOk(JSON.stringify(result).includes(password.slice(0, 6)) || JSON.stringify(result).includes(basic.slice(0, 8)));
});

await t.test("a refusal carries the vendor's own words", async (t) => {
  const fake = await openFake(t);
  const { sink } = open(t, fake.url, { close_code: "" });
  const created = await sink.create(ticketContent(), call);
  t.equal(created.kind, "done");
  const over = ticketContent({ incident: { state: "resolved" }, notes: [ticketNote(1, "resolved")] });
  const result = created.kind === "done" ? await sink.update(created.value, over, call) : created;
  t.match(result, { kind: "refused", retry: "never", message: /mandatory: Resolution code/ });
});

await t.test("a rate limit is read from Retry-After, else from X-RateLimit-Reset, and capped", async (t) => {
  const cases = [
    [{ "retry-after": "30" }, 30_000],
    [{ "retry-after": new Date(nowMs + 60_000).toUTCString() }, 60_000],
    [{ "x-ratelimit-reset": String(nowMs / 1000 + 90) }, 90_000],
    [{ "retry-after": "-1", "x-ratelimit-reset": String(nowMs / 1000 + 5) }, 5000],
    [{ "x-ratelimit-reset": "99999999999" }, 3_600_000],
    [{}, undefined],
  ] as const;
  for (const [headers, wait] of cases) {
    const { url } = await scripted(t, { status: 429, headers, body: {} });
    const result = await open(t, url).sink.create(ticketContent(), call);
    t.match(result, { kind: "refused", retry: "later", code: "http_429" });
    t.equal(result.kind === "refused" ? result.retryAfterMs : -1, wait, JSON.stringify(headers));
  }
});

await t.test("only 201 with the record is a create, whatever else an answer looks like", async (t) => {
  const cases = [
    [{ status: 200, body: record() }, "unknown"],
    [{ status: 201, body: "<html>" }, "unknown"],
    [{ status: 201, body: { result: {} } }, "unknown"],
    [{ status: 302, headers: { location: "/login.do" }, body: "" }, "unknown"],
    [{ status: 408, body: "" }, "unknown"],
    [{ status: 503, headers: { "retry-after": "5" }, body: "" }, "unknown"],
    [{ status: 400, body: { error: { message: "bad" } } }, "refused"],
    [{ status: 404, body: "" }, "refused"],
  ] as const;
  for (const [reply, kind] of cases) {
    const { url } = await scripted(t, reply);
    t.equal((await open(t, url).sink.create(ticketContent(), call)).kind, kind, `${reply.status}`);
  }
});

await t.test("a lookup whose page is full of unrelated rows proves nothing", async (t) => {
  const row = (n: number) => ({ sys_id: String(n).padStart(32, "0"), state: "1", correlation_id: "" });
  const full = await scripted(t, { status: 200, body: { result: Array.from({ length: 20 }, (_, n) => row(n)) } });
  const result = await open(t, full.url).sink.find?.("winnow:x", call);
  t.match(result, { kind: "refused", retry: "later", code: "lookup_unreliable" });
  const short = await scripted(t, { status: 200, body: { result: [row(1), row(2)] } });
  t.strictSame(await open(t, short.url).sink.find?.("winnow:x", call), { kind: "done", value: null });
});

await t.test("of several tickets an open one goes before a resolved one, and that before a closed one", async (t) => {
  const row = (id: string, state: string, created: string) => ({
    sys_id: id.repeat(32),
    number: `INC${id}`,
    state,
    correlation_id: "winnow:x",
    sys_created_on: created,
  });
  const rows = [
    row("1", "7", "2026-01-01"),
    row("2", "6", "2026-01-02"),
    row("3", "2", "2026-01-04"),
    row("4", "1", "2026-01-03"),
  ];
  const { url } = await scripted(t, { status: 200, body: { result: rows } });
  const found = await open(t, url).sink.find?.("winnow:x", call);
  t.match(found, {
    value: { remote_id: "4".repeat(32), twins: [3, 2, 1].map((id) => ({ remote_id: String(id).repeat(32) })) },
  });
});

await t.test("a ticket that has vanished is looked up by its key", async (t) => {
  const gone = { status: 404, body: { error: { message: "No Record found" } } };
  const none = { status: 200, body: { result: [] } };
  const deleted = await scripted(t, gone, none);
  t.match(await open(t, deleted.url).sink.update(remote, ticketContent(), call), { kind: "gone" });
  const over = ticketContent({ incident: { state: "resolved" } });
  const forgotten = await scripted(t, gone, none);
  t.equal((await open(t, forgotten.url).sink.update(remote, over, call)).kind, "done");
  const key = "winnow:test:i-7:snow:1";
  const ours = { status: 200, body: { result: [{ sys_id: sysId, state: "1", correlation_id: key }] } };
  const hidden = await scripted(t, gone, ours);
  t.match(await open(t, hidden.url).sink.update(remote, ticketContent(), call), {
    retry: "never",
    code: "ticket_hidden",
  });
  const other = "b".repeat(32);
  const moved = { status: 200, body: { result: [{ sys_id: other, state: "1", correlation_id: key }] } };
  const replaced = await scripted(t, gone, moved, { status: 200, body: record({ sys_id: other }) });
  t.match(await open(t, replaced.url).sink.update(remote, ticketContent(), call), { value: { remote_id: other } });
});

await t.test("a journal longer than the longest response is asked for its last entry alone", async (t) => {
  const long = { status: 200, body: record({ work_notes: "x".repeat(1_100_000) }) };
  const entry = { element_id: sysId, value: "[winnow #6] x\n[winnow #7] y" };
  const foreign = { element_id: "c".repeat(32), value: "[winnow #99] z" };
  const { url, asked } = await scripted(
    t,
    long,
    { status: 200, body: record() },
    { status: 200, body: { result: [foreign, entry] } },
  );
  const { sink } = open(t, url);
  t.strictSame(await sink.confirm?.(remote, ticketContent({ notes: [ticketNote(7, "joined")] }), call), {
    kind: "done",
    value: true,
  });
  t.match(asked[2]?.url, /sys_journal_field\?sysparm_query=element_id%3Da+%5Eelement/);
});

await t.test("a field that ServiceNow did not keep is a warning, and the ticket stands", async (t) => {
  const kept = { correlation_id: "winnow:test:i-7:snow:1", assignment_group: "c".repeat(32) };
  for (const [more, count] of [
    [kept, 0],
    [{ ...kept, assignment_group: "" }, 1],
    [{}, 2],
  ] as const) {
    const { url } = await scripted(t, { status: 201, body: record(more) });
    const { sink, warnings } = open(t, url);
    t.equal((await sink.create(ticketContent(), call)).kind, "done");
    t.equal(warnings.length, count, warnings.join("; "));
  }
});

await t.test("a successor names the ticket before and links it", async (t) => {
  const fake = await openFake(t);
  const { sink } = open(t, fake.url);
  const first = await sink.create(ticketContent(), call);
  const predecessor = first.kind === "done" ? first.value.remote_id : "";
  await sink.create(ticketContent({ key: "winnow:test:i-7:snow:2", predecessor }), call);
  const [, created, note] = fake.ledger();
  t.match(created, { op: "create", parent_incident: predecessor });
  t.match(note, { op: "note", text: /Follows INC0010001/ });
});

await t.test("the ticket's link leads to the record and shows its number", async (t) => {
  const fake = await openFake(t);
  const created = await open(t, `${fake.url}/`).sink.create(ticketContent(), call);
  const { remote_url, remote_id } = created.kind === "done" ? created.value : remote;
  t.equal(remote_url, `${fake.url}/nav_to.do?uri=incident.do%3Fsys_id%3D${remote_id}#INC0010001`);
});

await t.test("an address that is not allowed pauses the destination", async (t) => {
  const refused = { ...remote, url: "http://10.0.0.1" };
  t.match(await open(t, refused.url).sink.create(ticketContent(), call), { retry: "auth", code: "address_refused" });
});

await t.test("anything but exactly one way to authenticate is a configuration error", async (t) => {
  for (const auth of [
    {},
    { api_key: { reveal: () => "a" }, oauth: { client_id: "c", client_secret: { reveal: () => "s" } } },
  ]) {
    try {
      open(t, "http://127.0.0.1:1", { auth });
      t.fail("it was taken");
    } catch (error) {
      t.ok(hasCode(error, "config_invalid"));
    }
  }
});
