/** The fakes as processes: ledgers that a judge can trust, and trouble on demand, as the outside contract says. */

import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { type Answer, type Client, openClient } from "./support/client.ts";
import { type LedgerRow, readLedger, startFakeVendor } from "./support/product.ts";
import { until } from "./support/until.ts";

const kinds = [
  "drop_reply",
  "late_commit",
  "rate_limit",
  "server_error",
  "unauthorized",
  "html_200",
  "unrelated_row",
  "two_rows",
  "search_lag",
  "closed",
  "slow",
] as const;

const authorization = `Basic ${Buffer.from("winnow:password").toString("base64")}`;
const table = "/api/now/table/incident";

/** ServiceNow as a client of its Table API sees it. */
class Snow {
  readonly #client: Client;

  constructor(url: string) {
    this.#client = openClient(url, "");
  }

  async fault(kind: string, more: object = {}): Promise<Answer> {
    return await this.#client.ask("/__faults", { body: { kind, ...more } });
  }

  async create(key: string): Promise<Answer> {
    const body = { short_description: key, correlation_id: key };
    return await this.#client.ask(table, { headers: { authorization }, body });
  }

  /** Null when the connection is cut before an answer. */
  async createOrNothing(key: string): Promise<Answer | null> {
    return await this.create(key).catch(() => null);
  }

  async find(key: string): Promise<readonly Record<string, string>[]> {
    const query = `?sysparm_query=${encodeURIComponent(`correlation_id=${key}`)}`;
    const answer = await this.#client.ask(`${table}${query}`, { headers: { authorization } });
    // The vendor's first version answers 404 where there is none.
    return answer.status === 404 ? [] : answer.json<{ result: Record<string, string>[] }>().result;
  }

  async update(sysId: string, fields: object): Promise<Answer> {
    return await this.#client.ask(`${table}/${sysId}`, { method: "PATCH", headers: { authorization }, body: fields });
  }

  async ledger(): Promise<readonly LedgerRow[]> {
    return await this.#client.get<LedgerRow[]>("/__ledger");
  }

  async creates(key: string): Promise<number> {
    const rows = await this.ledger();
    return rows.filter(({ op, correlation_id }) => op === "create" && correlation_id === key).length;
  }
}

await t.test("the ledger is in the file, line by line, and survives the fake", async (t) => {
  const folder = testFolder(t);
  const first = await startFakeVendor("servicenow", folder);
  const snow = new Snow(first.url);
  t.equal((await snow.create("k1")).status, 201);
  const rows = await snow.ledger();
  t.match(rows, [{ seq: 1, op: "create", by: "api", correlation_id: "k1", number: /^INC\d+$/ }]);
  t.same(first.ledger(), rows, "GET /__ledger and the file are equal");
  await first.tool.stop();
  t.equal(await first.tool.ended, 0, "SIGTERM ends it with 0");
  t.same(readLedger(join(folder, "servicenow-ledger.jsonl")), rows);
  const second = await startFakeVendor("servicenow", folder);
  t.teardown(() => second.tool.stop());
  t.equal((await new Snow(second.url).find("k1")).length, 1, "a fake that starts again remembers");
});

const fake = await startFakeVendor("servicenow", testFolder(t));
t.teardown(() => fake.tool.stop());
const snow = new Snow(fake.url);

await t.test("every kind of fault is taken, an unknown one is refused", async (t) => {
  for (const kind of kinds) t.equal((await snow.fault(kind, { count: 0 })).status, 200, kind);
  t.equal((await snow.fault("nonsense")).status, 400);
});

await t.test("drop_reply commits and says nothing; late_commit commits after it has said nothing", async (t) => {
  await snow.fault("drop_reply");
  t.equal(await snow.createOrNothing("dropped"), null);
  t.equal(await snow.creates("dropped"), 1);
  await snow.fault("late_commit", { delay_ms: 300 });
  t.equal(await snow.createOrNothing("late"), null);
  t.equal(await snow.creates("late"), 0);
  await until("the late commit", async () => (await snow.creates("late")) === 1);
});

await t.test("rate_limit, server_error, unauthorized and html_200 answer so and commit nothing", async (t) => {
  await snow.fault("rate_limit", { delay_ms: 7000 });
  const limited = await snow.create("refused");
  t.same([limited.status, limited.headers.get("retry-after")], [429, "7"]);
  for (const [kind, status] of [
    ["server_error", 500],
    ["unauthorized", 401],
    ["html_200", 200],
  ] as const) {
    await snow.fault(kind);
    const answer = await snow.create("refused");
    t.equal(answer.status, status, kind);
    if (kind === "html_200") t.match(answer.headers.get("content-type"), /^text\/html/);
  }
  t.equal(await snow.creates("refused"), 0);
});

await t.test("slow answers late; count is how many requests are struck", async (t) => {
  await snow.fault("slow", { delay_ms: 250, count: 2 });
  for (const key of ["slow-1", "slow-2"]) {
    const started = performance.now();
    t.equal((await snow.create(key)).status, 201);
    t.ok(performance.now() - started >= 240, key);
  }
  t.equal((await snow.create("not-slow")).status, 201);
});

await t.test("unrelated_row, two_rows, search_lag and closed change what is found", async (t) => {
  const { result } = (await snow.create("found")).json<{ result: Record<string, string> }>();
  t.equal((await snow.find("found")).length, 1);
  await snow.fault("unrelated_row");
  t.not((await snow.find("found"))[0]?.["correlation_id"], "found", "a row of somebody else's comes first");
  await snow.fault("search_lag", { delay_ms: 60_000 });
  t.same(await snow.find("found"), [], "a new ticket cannot be found yet");
  await snow.fault("two_rows");
  t.equal((await snow.find("found")).length, 2, "a twin is there");
  await snow.fault("closed");
  const refused = await snow.update(result["sys_id"] ?? "", { urgency: "1" });
  t.not(refused.status, 200, "a ticket that was closed takes no change");
  const closes = (await snow.ledger()).filter(({ op, by }) => op === "close" && by === "fault");
  t.equal(closes.length, 1);
});

await t.test("the Slack and webhook fakes keep ledgers and make trouble, too", async (t) => {
  const folder = testFolder(t);
  for (const [name, path] of [
    ["slack", "/services/T/B/X"],
    ["webhook", "/any/path"],
  ] as const) {
    const other = await startFakeVendor(name, folder);
    t.teardown(() => other.tool.stop());
    const client = openClient(other.url, "");
    t.equal((await client.ask(path, { body: { text: "hello" } })).status, 200, name);
    t.same(await client.get("/__ledger"), other.ledger(), `${name}: the file is the ledger`);
    t.equal(other.ledger().length, 1);
    t.equal((await client.ask("/__faults", { body: { kind: "server_error", count: 1 } })).status, 200);
    t.equal((await client.ask(path, { body: { text: "again" } })).status, 500);
    t.equal(other.ledger().length, 1, `${name}: nothing was committed`);
  }
});
