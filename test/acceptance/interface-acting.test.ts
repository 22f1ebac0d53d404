/** What people do through the API, and how others follow it, as the outside contract says. */
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { followEvents } from "./support/event-stream.ts";
import { startExample } from "./support/example.ts";
import { startInMode } from "./support/mode.ts";
import type { Incident, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

const { product, send, snow } = await startExample(t, (text) => text.replace("hold: 5s ", "hold: 0s "));
const { client, ready } = product;

/** Fires one alert of a service of its own and waits for its incident, with a ticket. */
async function openIncident(service: string): Promise<Incident> {
  await send([{ labels: { alertname: "Slow", service, severity: "critical", team: "web", instance: `${service}:1` } }]);
  return await until(`the incident of ${service}`, async (told) => {
    const { items } = await client.get<Page<Incident>>(`/v1/incidents?q=${service}`);
    told(items);
    const [incident] = items;
    return typeof incident?.deliveries[0]?.remote_id === "string" && incident;
  });
}

interface Row {
  readonly kind: string;
  readonly actor: string;
  readonly text: string | null;
}

async function timelineOf({ id }: Incident): Promise<readonly Row[]> {
  return (await client.get<Page<Row>>(`/v1/incidents/${id}/timeline?limit=500`)).items;
}

await t.test("ack, note and resolve answer with the change applied, and act once for one key", async (t) => {
  const incident = await openIncident("checkout");
  const home = `/v1/incidents/${incident.id}`;
  const act = (action: string, key: string, text?: string) =>
    client.ask(`${home}/${action}`, { headers: { "idempotency-key": key }, body: text === undefined ? {} : { text } });

  const acknowledged = await act("ack", "k1", "I am looking at it");
  t.equal(acknowledged.status, 200);
  const shown = acknowledged.json<Incident>();
  t.match(shown, { id: incident.id, state: "acknowledged", acknowledged_at: String });
  t.ok(shown.version > incident.version, "a new version");
  const again = (await act("ack", "k1", "I am looking at it")).json<Incident>();
  t.equal(again.version, shown.version, "the same key acts once");

  t.equal((await act("note", "k2", "the database is slow")).status, 200);
  t.equal((await act("note", "k2", "the database is slow")).status, 200);
  t.equal((await act("note", "k3", "the database is slow")).status, 200, "another key is another note");
  t.equal((await act("note", "k4")).status, 400, "a note needs a text");

  const resolved = (await act("resolve", "k5", "restarted it")).json<Incident>();
  t.match(resolved, { state: "resolved", resolved_at: String });
  const kinds = (await timelineOf(incident)).filter(({ actor }) => actor === "installation");
  t.same(
    kinds.map(({ kind, text }) => [kind, text]),
    [
      ["acknowledged", "I am looking at it"],
      ["noted", "the database is slow"],
      ["noted", "the database is slow"],
      ["resolved", "restarted it"],
    ],
    "the timeline names who did what",
  );
  const ops = await until("the ticket's resolve", async () => {
    const rows = snow.ledger().filter(({ op }) => op !== "note");
    return rows.some(({ op }) => op === "resolve") && rows.map(({ op }) => op);
  });
  t.equal(ops.filter((op) => op === "create").length, 1, "still one ticket");
  t.equal((await client.ask("/v1/incidents/inc_none/ack", { method: "POST" })).status, 404);
  t.equal((await client.ask(`${home}/ack`, { body: "{" })).status, 400);
});

interface DeadLetter {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
  readonly raw_base64: string;
  readonly bytes: number;
}

await t.test("dead letters are retried and discarded", async (t) => {
  for (const body of ["{", "["])
    await client.ask("/v1/in/prometheus-prod", { headers: { authorization: "Bearer am-token-of-the-example" }, body });
  const [first, second] = await until("both dead letters", async () => {
    const { items } = await client.get<Page<DeadLetter>>("/v1/dead-letters?state=waiting");
    return items.length === 2 && items;
  });
  if (first === undefined || second === undefined) throw new Error("two dead letters have two items");
  t.match([first, second], [{ attempts: 0, bytes: 1 }, {}]);
  t.same(Buffer.from(second.raw_base64, "base64").toString(), "{", "newest first; the bytes as they came");
  t.same(await client.get(`/v1/dead-letters/${first.id}`), first, "one alone is the same");

  const discarded = await client.ask(`/v1/dead-letters/${first.id}/discard`, { method: "POST" });
  t.match(discarded.json(), { id: first.id, state: "discarded" });
  const retried = await client.ask(`/v1/dead-letters/${second.id}/retry`, { method: "POST" });
  t.match(retried.json(), { id: second.id, accepted: 0, dead_lettered: 1 }, "it is as unreadable as before");
  const letter = (id: string) => client.get<DeadLetter>(`/v1/dead-letters/${id}`);
  await until("the discarding", async () => (await letter(first.id)).state === "discarded");
  await until("the unreadable one, waiting again", async (told) => {
    const { attempts, state } = await letter(second.id);
    told({ attempts, state });
    return attempts === 1 && state === "waiting";
  });
  t.equal((await client.ask(`/v1/dead-letters/${first.id}/retry`, { method: "POST" })).status, 409);
  t.equal((await client.ask("/v1/dead-letters/dl_none/retry", { method: "POST" })).status, 404);
});

await t.test("events are streamed, each once it can be read, and resumed after the last one seen", async (t) => {
  const stream = await followEvents(client, ready.token);
  t.teardown(() => stream.close());
  const incident = await openIncident("orders");
  const opened = await stream.next("the opening", ({ data }) => data["id"] === incident.id);
  t.match(opened, { event: "incident", id: /^\d+(\.\d+)+$/, data: { service: "orders", state: "new", version: 1 } });
  t.equal((opened.data["deliveries"] as unknown[]).length, 1, "with its deliveries");
  stream.close();

  await client.ask(`/v1/incidents/${incident.id}/note`, { body: { text: "nobody listened" } });
  const resumed = await followEvents(client, ready.token, opened.id);
  t.teardown(() => resumed.close());
  const missed = await resumed.next("what was missed");
  t.equal(missed.data["id"], incident.id);
  t.ok(Number(missed.data["version"]) > 1, "what it had seen does not come again");
  await client.ask(`/v1/incidents/${incident.id}/ack`, { method: "POST" });
  const acknowledged = await resumed.next("the ack", ({ data }) => data["state"] === "acknowledged");
  t.equal(acknowledged.data["id"], incident.id);
  resumed.close();

  const lost = await followEvents(client, ready.token, "999.999.999.999");
  t.teardown(() => lost.close());
  t.match(await lost.next("the reset"), { event: "reset" }, "an id that is not kept is said, not skipped");
  lost.close();
});

await t.test("a token has scopes, is the actor of what it does, and ends when it is revoked", async (t) => {
  const create = (name: string, scopes: string[]) => client.ask("/v1/tokens", { body: { name, scopes } });
  const reader = (await create("dashboard", ["read"])).json<{ id: string; token: string }>();
  const actor = (await create("jdoe", ["read", "act"])).json<{ id: string; token: string }>();
  t.match(reader, { id: String, token: String });
  const incident = await openIncident("mail");
  const ack = (token: string) =>
    client.ask(`/v1/incidents/${incident.id}/ack`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  t.equal((await client.ask("/v1/incidents", { headers: { authorization: `Bearer ${reader.token}` } })).status, 200);
  const forbidden = await ack(reader.token);
  t.equal(forbidden.status, 403);
  t.match(forbidden.json(), { code: "forbidden" });
  t.equal((await ack(actor.token)).status, 200);
  t.match(
    (await timelineOf(incident)).find(({ kind }) => kind === "acknowledged"),
    { actor: "jdoe" },
  );
  const asActor = { headers: { authorization: `Bearer ${actor.token}` } };
  t.equal((await client.ask("/v1/tokens", asActor)).status, 403, "tokens are for admin");
  t.equal((await client.ask(`/v1/tokens/${actor.id}`, { method: "DELETE" })).status, 200);
  t.equal((await client.ask("/v1/incidents", asActor)).status, 401);
  t.notMatch((await client.ask("/v1/tokens")).text, actor.token, "no list shows a token");
});

await t.test("what was there is there after a restart, and an event id still resumes", async (t) => {
  const folder = testFolder(t, { "winnow.yaml": "version: 1\nsources:\n  am: { type: alertmanager }\n" });
  const before = await startInMode({ folder });
  const stream = await followEvents(before.client, before.ready.token);
  t.teardown(() => stream.close());
  const post = (alertname: string) => ({ body: [{ labels: { alertname, service: alertname } }] });
  await before.client.ask("/v1/in/am", post("one"));
  const { id } = await stream.next("the first incident");
  await before.client.ask("/v1/in/am", post("two"));
  await stream.next("the second incident");
  stream.close();
  t.equal(await before.stop(), 0);
  const after = await startInMode({ folder });
  t.teardown(async () => void (await after.stop()));
  t.equal(after.ready.token, before.ready.token, "the token stays");
  t.equal((await after.client.get<Page<Incident>>("/v1/incidents")).items.length, 2);
  const resumed = await followEvents(after.client, after.ready.token, id);
  t.teardown(() => resumed.close());
  t.match(await resumed.next("the second, again"), { data: { service: "two" } });
});
