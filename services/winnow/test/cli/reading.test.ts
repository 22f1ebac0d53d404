import t from "tap";
import { parse } from "yaml";
import { FakeApi } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";
import { alert, before, deadLetter, delivery, incident, page } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };

const lists = {
  incidents: page([incident(), incident({ number: 7, title: "mail" })], "next"),
  alerts: page([alert()]),
  deliveries: page([delivery()]),
  "dead-letters": page([deadLetter()]),
};
for (const [name, body] of Object.entries(lists)) api.on(`GET /v1/${name}`, body);

await t.test("JSON output is the API's body, for every list", async (t) => {
  for (const [name, body] of Object.entries(lists)) {
    const { code, stdout, stderr } = await runCli(["get", name, "-o", "json"], { env });
    t.same(JSON.parse(stdout), body, name);
    t.same([code, stderr], [0, ""], name);
    t.equal(api.last().headers.authorization, "Bearer wnw_test");
  }
});

await t.test("YAML output holds the same", async (t) => {
  const { stdout } = await runCli(["get", "incidents", "-o", "yaml"], { env });
  t.same(parse(stdout), lists.incidents);
});

await t.test("the table of incidents is aligned, and says on stderr that there are more", async (t) => {
  const rows = [
    incident(),
    incident({
      number: 7,
      priority: "P5",
      state: "acknowledged",
      opened_at: before(60 * 66),
      title: "mail: 日本語 queue",
      deliveries: [delivery({ remote_id: null, delivery_state: "unknown" })],
    }),
    incident({ number: 123, deliveries: [] }),
  ];
  api.on("GET /v1/incidents", page(rows, "next"));
  const { code, stdout, stderr } = await runCli(["get", "incidents"], { env });
  t.equal(
    stdout,
    [
      "  NO  PRIO  STATE         FIRING  AGE  LAST  TITLE                             TICKET",
      " #42  P1    new              2/3  12m    8m  checkout: p99 above 2 s on web-1  INC0010023",
      "  #7  P5    acknowledged     2/3   2d    8m  mail: 日本語 queue                snow: unknown",
      "#123  P1    new              2/3  12m    8m  checkout: p99 above 2 s on web-1  -",
      "",
    ].join("\n"),
  );
  t.match(stderr, /more incidents: --all, or --cursor next/);
  t.equal(code, 0);
});

await t.test("wide adds columns", async (t) => {
  const { stdout } = await runCli(["get", "incidents", "-o", "wide"], { env });
  t.match(stdout, /SERVICE {3}ENVIRONMENT {2}SEVERITY {2}EVENTS {2}RULE/);
  t.match(stdout, /inc_0001$/m);
});

await t.test("tables of alerts, deliveries and dead letters show what one acts upon", async (t) => {
  const failed = delivery({
    delivery_state: "dead",
    remote_id: null,
    applied_version: 0,
    attempts: 5,
    last_error: { code: "unauthorized", message: "401 from the vendor" },
  });
  api.on("GET /v1/deliveries", page([delivery({ applied_version: 3 }), failed]));
  const alerts = await runCli(["get", "alerts"], { env });
  const deliveries = await runCli(["get", "deliveries"], { env });
  const letters = await runCli(["get", "dead-letters"], { env });
  t.equal(
    alerts.stdout,
    [
      "STATUS  SEVERITY  SINCE  LAST  COUNT  INTEGRATION      TITLE                   FINGERPRINT",
      "firing  critical    12m    1m     17  prometheus-prod  p99 above 2 s on web-1  0123456789abcdef0123456789abcdef",
      "",
    ].join("\n"),
  );
  t.equal(
    deliveries.stdout,
    [
      "INCIDENT  DESTINATION  STATE  TICKET      SHOWS           TRIES  NEXT  ERROR",
      "inc_0001  snow         idle   INC0010023  version 3 of 4      0     -  -",
      "inc_0001  snow         dead   -           nothing yet         5     -  unauthorized: 401 from the vendor",
      "",
    ].join("\n"),
  );
  t.equal(
    letters.stdout,
    [
      "STATE    AGE  INTEGRATION      BYTES  TRIES  REASON                             ID",
      "waiting   3m  prometheus-prod     13      0  wrong_body: alerts must be a list  dl_0001",
      "",
    ].join("\n"),
  );
});

await t.test("an empty list prints nothing and says so on stderr", async (t) => {
  api.on("GET /v1/alerts", page([]));
  t.same(await runCli(["get", "alerts"], { env }), { code: 0, stdout: "", stderr: "no alerts\n" });
  const filtered = await runCli(["get", "alerts", "--status", "firing"], { env });
  t.equal(filtered.stderr, "no alerts fit\n");
});

await t.test("filters go to the API as it names them", async (t) => {
  api.on("GET /v1/incidents", page([]));
  const args = ["--state", "new,acknowledged", "--priority", "p1,P2", "--q", "web 1&2", "--limit", "7"];
  await runCli(["get", "incidents", ...args], { env });
  const query = new URL(api.last().url, api.url).searchParams;
  t.same(Object.fromEntries(query), { state: "new,acknowledged", priority: "P1,P2", q: "web 1&2", limit: "7" });
  await runCli(["get", "deliveries", "--state", "dead", "--destination", "snow"], { env });
  t.equal(api.last().url, "/v1/deliveries?state=dead&destination=snow");
});

await t.test("--all follows the cursors to the end", async (t) => {
  const total = 1_203;
  api.on("GET /v1/incidents", ({ url }) => {
    const query = new URL(url, api.url).searchParams;
    const from = Number(query.get("cursor") ?? "0");
    const to = Math.min(from + Number(query.get("limit") ?? "50"), total);
    const items = Array.from({ length: to - from }, (_, index) => incident({ number: from + index }));
    return { body: page(items, to < total ? String(to) : null) };
  });
  const all = await runCli(["get", "incidents", "--all", "-o", "json"], { env });
  const numbers = (JSON.parse(all.stdout) as { items: { number: number }[] }).items.map(({ number }) => number);
  t.same(
    numbers,
    Array.from({ length: total }, (_, index) => index),
  );
  const some = await runCli(["get", "incidents", "--limit", "501", "-o", "json"], { env });
  const { items, next_cursor } = JSON.parse(some.stdout) as { items: unknown[]; next_cursor: string };
  t.same([items.length, next_cursor], [501, "501"]);
});

await t.test("colours appear only where somebody looks, and never with NO_COLOR", async (t) => {
  api.on("GET /v1/incidents", page([incident()]));
  const escape = String.fromCodePoint(27);
  const plain = await runCli(["get", "incidents"], { env });
  t.notOk(plain.stdout.includes(escape), "a pipe gets none");
  const forced = await runCli(["get", "incidents"], { env: { ...env, FORCE_COLOR: "1" } });
  t.ok(forced.stdout.includes(`${escape}[31mP1`), "FORCE_COLOR asks for them");
  const refused = await runCli(["get", "incidents"], { env: { ...env, FORCE_COLOR: "1", NO_COLOR: "1" } });
  t.equal(refused.stdout, plain.stdout);
});

await t.test("text that others wrote cannot steer the terminal", async (t) => {
  const escape = String.fromCodePoint(27);
  api.on("GET /v1/incidents", page([incident({ title: `a${escape}[2Jb\nc\u202ed` })]));
  const { stdout } = await runCli(["get", "incidents"], { env });
  t.notOk(stdout.includes(escape));
  t.match(stdout, /a\ufffd\[2Jb c\ufffdd/);
  t.equal(stdout.split("\n").length, 3, "a line break in a title stays in its row");
});
