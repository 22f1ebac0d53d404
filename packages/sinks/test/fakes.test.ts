import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import type { FakeServer } from "../src/fake/server.ts";
import { fakeNames, isFakeName, startFake } from "../src/fakes.ts";

const listen = { host: "127.0.0.1", port: 0 };
const user = { authorization: `Basic ${Buffer.from("winnow:x").toString("base64")}` };

async function open(t: Test, name: "servicenow" | "slack" | "webhook", ledgerFile?: string): Promise<FakeServer> {
  const fake = await startFake(name, { listen, ...(ledgerFile === undefined ? {} : { ledgerFile }) });
  t.teardown(() => fake.close().catch(() => undefined));
  return fake;
}

interface Answer {
  readonly status: number;
  readonly body: { readonly result?: unknown } & Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

async function ask(
  fake: FakeServer,
  method: string,
  path: string,
  body?: unknown,
  headers: object = user,
): Promise<Answer> {
  const response = await fetch(`${fake.url}${path}`, {
    method,
    headers: { ...headers, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : { text },
    headers: response.headers,
  };
}

const table = "/api/now/table/incident";

async function insert(fake: FakeServer, fields: object): Promise<Readonly<Record<string, string>>> {
  return (await ask(fake, "POST", table, fields)).body.result as Readonly<Record<string, string>>;
}

await t.test("the fakes are known by name", (t) => {
  t.strictSame([...fakeNames].toSorted(), ["servicenow", "slack", "webhook"]);
  t.ok(isFakeName("slack"));
  t.notOk(isFakeName("toString"));
  t.end();
});

await t.test("ServiceNow asks for credentials", async (t) => {
  const fake = await open(t, "servicenow");
  t.equal((await ask(fake, "GET", table, undefined, {})).status, 401);
  t.equal((await ask(fake, "GET", table, undefined, { authorization: `Basic ${btoa(":x")}` })).status, 401);
  t.equal((await ask(fake, "GET", table, undefined, { authorization: "Bearer wrong" })).status, 401);
  const json = await ask(fake, "POST", "/oauth_token.do", { grant_type: "client_credentials" });
  t.equal(json.status, 401, "the token endpoint takes forms only");
});

await t.test("ServiceNow numbers, prices and cuts what it is given", async (t) => {
  const fake = await open(t, "servicenow");
  const created = await ask(fake, "POST", table, {
    short_description: "x".repeat(200),
    impact: "1",
    urgency: "2",
    priority: "5",
    nonsense: "y",
    u_own: "z",
  });
  t.equal(created.status, 201);
  const row = created.body.result as Record<string, string>;
  t.match(row, { number: "INC0010001", priority: "2", short_description: "x".repeat(160) });
  t.equal(created.headers.get("location"), `${table}/${row["sys_id"]}`);
  t.equal((await insert(fake, {}))["number"], "INC0010002");
  t.match(fake.ledger()[0], { seq: 1, op: "create", by: "api", u_own: "z" });
  t.notOk("nonsense" in (fake.ledger()[0] ?? {}));
});

await t.test(
  "ServiceNow resolves only with code and notes, reopens resolved tickets, and never closed ones",
  async (t) => {
    const fake = await open(t, "servicenow");
    const { sys_id } = await insert(fake, { correlation_id: "k" });
    const path = `${table}/${sys_id}`;
    t.equal((await ask(fake, "PATCH", path, { state: "6", close_code: "x" })).status, 403);
    t.equal(
      (await ask(fake, "PATCH", path, { state: "6", close_code: "x", close_notes: "y", work_notes: "n" })).status,
      200,
    );
    t.equal((await ask(fake, "PATCH", path, { state: "2" })).status, 200);
    t.equal((await ask(fake, "PATCH", path, { state: "7" })).status, 200);
    t.equal((await ask(fake, "PATCH", path, { state: "2" })).status, 403);
    t.strictSame(
      fake.ledger().map(({ op }) => op),
      ["create", "note", "resolve", "reopen", "close"],
    );
    t.equal((await ask(fake, "PATCH", `${table}/${"0".repeat(32)}`, {})).status, 404);
  },
);

await t.test("ServiceNow ignores what it cannot use in a query, and differs between v1 and v2", async (t) => {
  const fake = await open(t, "servicenow");
  for (const id of ["a", "b^c", "a"]) {
    await insert(fake, { correlation_id: id, short_description: `about ${id}` });
  }
  const numbers = async (query: string): Promise<unknown> => {
    const path = `/api/now/v2/table/incident?sysparm_fields=number&sysparm_query=${encodeURIComponent(query)}`;
    return ((await ask(fake, "GET", path)).body.result as { number: string }[]).map(
      ({ number }) => Number(number.slice(3)) - 10_000,
    );
  };
  t.strictSame(await numbers("correlation_id=a^ORDERBYDESCnumber"), [3, 1]);
  t.strictSame(await numbers("correlation_id=b^^c"), [2]);
  t.strictSame(await numbers("correlation_id=b^c"), [], "an unescaped ^ ends the value");
  t.strictSame(await numbers("correlatoin_id=a"), [1, 2, 3], "a field that it does not know is no condition");
  t.strictSame(await numbers("short_descriptionLIKEABOUT A^correlation_id!=b"), [1, 3]);
  t.equal((await ask(fake, "GET", `${table}?sysparm_query=correlation_id=none`)).status, 404);
  const page = await ask(fake, "GET", `${table}?sysparm_limit=1&sysparm_offset=1&sysparm_fields=correlation_id`);
  t.strictSame(page.body.result, [{ correlation_id: "b^c" }]);
});

await t.test("ServiceNow shows a journal only as display value and in its own table", async (t) => {
  const fake = await open(t, "servicenow");
  const { sys_id } = await insert(fake, { work_notes: "one", assignment_group: "Platform" });
  await ask(fake, "PATCH", `${table}/${sys_id}`, { work_notes: "two", comments: "three" });
  const read = async (query: string): Promise<Record<string, unknown>> =>
    (await ask(fake, "GET", `${table}/${sys_id}?sysparm_fields=work_notes,assignment_group&${query}`)).body
      .result as Record<string, unknown>;
  t.equal((await read(""))["work_notes"], "");
  t.match(
    (await read("sysparm_display_value=true"))["work_notes"],
    /^\S+ \S+ - winnow \(Work notes\)\ntwo\n\n\S+ .*\none\n\n$/,
  );
  t.match(await read("sysparm_display_value=all&sysparm_exclude_reference_link=true"), {
    assignment_group: { display_value: "Platform", value: /^[0-9a-f]{32}$/ },
  });
  const journal = await ask(
    fake,
    "GET",
    `/api/now/table/sys_journal_field?sysparm_query=element_id=${sys_id}^element=comments&sysparm_fields=value`,
  );
  t.strictSame(journal.body.result, [{ value: "three" }]);
});

await t.test("faults are listed, strike as often as told, and are refused when unknown", async (t) => {
  const fake = await open(t, "servicenow");
  const bad = [
    { kind: "nonsense" },
    { kind: "slow", count: -1 },
    { kind: "slow", delay_ms: "5" },
    { kind: "closed", on: "create" },
    null,
  ];
  for (const body of bad) {
    t.equal((await ask(fake, "POST", "/__faults", body)).status, 400, JSON.stringify(body));
  }
  await ask(fake, "POST", "/__faults", { kind: "server_error", count: 2 });
  await ask(fake, "POST", "/__faults", { kind: "rate_limit", delay_ms: 2500 });
  t.equal((await ask(fake, "GET", table)).status, 500);
  t.match((await ask(fake, "GET", "/__faults")).body, [
    { kind: "server_error", count: 1 },
    { kind: "rate_limit", count: 1 },
  ]);
  t.equal((await ask(fake, "GET", table)).status, 500);
  const limited = await ask(fake, "GET", table);
  t.equal(limited.status, 429);
  t.equal(limited.headers.get("retry-after"), "3");
  await ask(fake, "POST", "/__faults", { kind: "unauthorized", count: 9 });
  await ask(fake, "DELETE", "/__faults");
  t.equal((await ask(fake, "GET", "/api/now/v2/table/incident")).status, 200);
});

await t.test("the ledger is the file, line by line, and a fake that starts again goes on from it", async (t) => {
  const file = join(testFolder(t), "ledger.jsonl");
  const first = await open(t, "servicenow", file);
  const { sys_id } = await insert(first, { correlation_id: "k", work_notes: "n" });
  await first.close();
  const second = await open(t, "servicenow", file);
  t.match((await ask(second, "GET", `${table}/${sys_id}`)).body.result, { correlation_id: "k" });
  t.equal((await insert(second, {}))["number"], "INC0010002");
  const lines = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  t.strictSame(lines, (await ask(second, "GET", "/__ledger")).body);
  t.strictSame(
    lines.map((line) => (line as { seq: number }).seq),
    [1, 2, 3],
  );
});

await t.test("the webhook fake captures what it is sent", async (t) => {
  const fake = await open(t, "webhook");
  t.equal((await ask(fake, "POST", "/any/where", { a: 1 }, { "webhook-id": "m1" })).status, 200);
  t.match(fake.ledger(), [{ op: "receive", method: "POST", path: "/any/where", id: "m1", body: { a: 1 } }]);
  fake.inject({ kind: "drop_reply" });
  await t.rejects(ask(fake, "POST", "/x", { a: 2 }));
  t.equal(fake.ledger().length, 2);
  t.throws(() => fake.inject({ kind: "two_rows" }));
});

await t.test("the Slack fake posts, updates, lists, and takes incoming webhooks", async (t) => {
  const fake = await open(t, "slack");
  const bearer = { authorization: "Bearer xoxb" };
  t.match((await ask(fake, "POST", "/api/chat.postMessage", { channel: "C1", text: "a" }, {})).body, {
    ok: false,
    error: "not_authed",
  });
  const posted = await ask(
    fake,
    "POST",
    "/api/chat.postMessage",
    { channel: "C1", text: "a", metadata: { id: 1 } },
    bearer,
  );
  const ts = posted.body["ts"];
  await ask(fake, "POST", "/api/chat.update", { channel: "C1", ts, text: "b" }, bearer);
  t.match((await ask(fake, "POST", "/api/chat.update", { channel: "C1", ts: "0", text: "b" }, bearer)).body, {
    error: "message_not_found",
  });
  const history = await ask(fake, "GET", "/api/conversations.history?channel=C1", undefined, bearer);
  t.match(history.body, { ok: true, messages: [{ ts, text: "b", metadata: { id: 1 } }] });
  t.equal((await ask(fake, "POST", "/services/T/B/x", { text: "c" })).body["text"], "ok");
  t.equal((await ask(fake, "POST", "/services/T/B/x", {})).status, 400);
  t.strictSame(
    fake.ledger().map(({ op }) => op),
    ["create", "update", "create"],
  );
});
