/** What tools are told when they post, as the outside contract says. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import type { Answer, Ask } from "./support/client.ts";
import { startInMode } from "./support/mode.ts";
import type { Accounting, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

const secrets = { BEARER: "s-bearer", HEADER: "s-header", BASIC: "s-basic", QUERY: "s-query", PATH_TOKEN: "s-path" };
const configuration = `version: 1
sources:
  open: { type: alertmanager }
  bearer: { type: alertmanager, auth: { bearer: { env: BEARER } } }
  header: { type: alertmanager, auth: { header: { name: X-Secret, value: { env: HEADER } } } }
  basic: { type: alertmanager, auth: { basic: { username: am, password: { env: BASIC } } } }
  query: { type: alertmanager, auth: { query: { env: QUERY } } }
  path: { type: alertmanager, auth: { path: { env: PATH_TOKEN } } }
  nagios: { type: nagios }
alertmanager_listen: { listen: "127.0.0.1:0", integration: bearer }
limits: { body_bytes: 64KiB, request_timeout: 1s, pending_deliveries: 1 }
`;

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
const alert = (alertname: string) => ({ labels: { alertname, service: "inbound" } });

const folder = testFolder(t, { "winnow.yaml": configuration });
const product = await startInMode({ folder, env: secrets });
t.teardown(async () => void (await product.stop()));
const { client, entry, ready } = product;
const { token } = ready;

/** Posts one alert; the answer's status. */
async function post(path: string, headers: Readonly<Record<string, string>>, method = "POST"): Promise<number> {
  const answer = await client.ask(path, { method, headers: { authorization: "", ...headers }, body: [alert("A")] });
  return answer.status;
}

await t.test("the installation's token may stand in every place, with POST and PUT", async (t) => {
  for (const method of ["POST", "PUT"]) {
    t.equal(await post(`/v1/in/open`, { authorization: `Bearer ${token}` }, method), 202, `${method} bearer`);
    t.equal(await post(`/v1/in/open`, { "x-winnow-token": token }, method), 202, `${method} X-Winnow-Token`);
    t.equal(await post(`/v1/in/open`, { authorization: basic(`anyone:${token}`) }, method), 202, `${method} basic`);
    t.equal(await post(`/v1/in/open?token=${token}`, {}, method), 202, `${method} query`);
    t.equal(await post(`/v1/in/open/${token}`, {}, method), 202, `${method} path`);
  }
});

await t.test("an integration's own secret counts in its own place, and there alone", async (t) => {
  const doors: Readonly<Record<string, (secret: string) => readonly [string, Record<string, string>]>> = {
    bearer: (secret) => ["/v1/in/bearer", { authorization: `Bearer ${secret}` }],
    header: (secret) => ["/v1/in/header", { "x-secret": secret }],
    basic: (secret) => ["/v1/in/basic", { authorization: basic(`am:${secret}`) }],
    query: (secret) => [`/v1/in/query?token=${secret}`, {}],
    path: (secret) => [`/v1/in/path/${secret}`, {}],
  };
  for (const [name, door] of Object.entries(doors)) {
    t.equal(await post(...door(`s-${name}`)), 202, `${name} opens`);
    t.equal(await post(...door("wrong")), 401, `${name} with a wrong secret`);
    t.equal(await post(`/v1/in/${name}`, {}), 401, `${name} without one`);
    t.equal(await post(`/v1/in/${name}`, { authorization: `Bearer ${token}` }), 401, `${name} with the other token`);
  }
  t.equal(await post("/v1/in/basic", { authorization: basic("other:s-basic") }), 401, "another user");
  t.equal(await post("/v1/in/query", { authorization: "Bearer s-query" }), 401, "another place");
});

function isProblem(t: Test, answer: Answer, status: number, code: string): void {
  t.equal(answer.status, status, `${status} ${code}`);
  t.match(answer.headers.get("content-type"), /^application\/problem\+json/);
  t.match(answer.json(), { type: String, title: String, status, code });
}

await t.test("202 says what became of the delivery", async (t) => {
  const body = [alert("B"), { labels: {} }, { labels: { alertname: "C", severity: "odd" }, startsAt: "no time" }];
  const answer = await client.ask("/v1/in/open", { body });
  t.equal(answer.status, 202);
  const said = answer.json<{ id: string; accepted: number; dead_lettered: number; warnings: object[] }>();
  t.same(Object.keys(said).toSorted(), ["accepted", "dead_lettered", "id", "warnings"]);
  t.match(said, { id: /^\S+$/, accepted: 2, dead_lettered: 1 });
  t.ok(said.warnings.length >= 3);
  for (const warning of said.warnings) t.same(Object.keys(warning).toSorted(), ["code", "message", "path"]);
  t.match(
    said.warnings,
    [{ path: "[0]" }, {}, {}].map(() => ({ code: String, path: String, message: String })),
  );
});

await t.test("a body that cannot be read is kept and answered with 202 and a warning", async (t) => {
  const bodies: readonly (readonly [string, Ask])[] = [
    ["broken JSON", { body: "{", headers: { "content-type": "application/json" } }],
    ["no type at all", { body: Buffer.from([0xff, 0xfe, 0x00]), headers: { "content-type": "" } }],
    ["a type of nobody's", { body: "hello", headers: { "content-type": "application/x-unheard" } }],
    ["an empty body", { method: "POST" }],
    ["too deep", { body: "[".repeat(1000) }],
    ["gzip that is none", { body: "plain", headers: { "content-encoding": "gzip" } }],
  ];
  for (const [what, ask] of bodies) {
    const answer = await client.ask("/v1/in/open", ask);
    t.equal(answer.status, 202, what);
    t.match(answer.json(), { accepted: 0, dead_lettered: 1, warnings: [{ code: String }] }, what);
  }
  const gzip = { body: gzipSync(JSON.stringify([alert("G")])), headers: { "content-encoding": "gzip" } };
  t.match((await client.ask("/v1/in/open", gzip)).json(), { accepted: 1 }, "gzip is unpacked");
});

await t.test("401, 404 and 413 are problems with a code", async (t) => {
  const wrong = await client.ask("/v1/in/open", { headers: { authorization: "Bearer wrong" }, body: "[]" });
  isProblem(t, wrong, 401, "unauthorized");
  t.ok(wrong.headers.get("www-authenticate"));
  isProblem(t, await client.ask("/v1/in/nobody", { body: "[]" }), 404, "not_found");
  const large = await client.ask("/v1/in/open", { body: "x".repeat(65 * 1024) });
  isProblem(t, large, 413, "body_too_large");
  const bomb = { body: gzipSync("x".repeat(65 * 1024)), headers: { "content-encoding": "gzip" } };
  t.equal((await client.ask("/v1/in/open", bomb)).status, 413, "unpacked size counts");
  await until("the dead letter with its head", async (told) => {
    const { items } = await client.get<Page<{ reason: { code: string } }>>("/v1/dead-letters?limit=100");
    told(items.map(({ reason }) => reason));
    return items.some(({ reason }) => reason.code === "body_too_large");
  });
});

/** Opens a request whose body never comes; resolves with the connection once Winnow is reading it. */
async function openSlowly(path: string) {
  const { port } = new URL(ready.url);
  const socket = connect(Number(port), "127.0.0.1");
  await once(socket, "connect");
  const head = `POST ${path} HTTP/1.1\r\nhost: winnow\r\nauthorization: Bearer ${token}\r\ncontent-length: 100\r\n`;
  // Winnow says "continue" when it has taken the head.
  socket.write(`${head}expect: 100-continue\r\n\r\n`);
  const [first] = (await once(socket, "data")) as [Buffer];
  return { socket, first: first.toString() };
}

await t.test("503 with Retry-After when too much waits, 408 when a request does not end", async (t) => {
  const { socket, first } = await openSlowly("/v1/in/open");
  t.match(first, /^HTTP\/1\.1 100 /);
  socket.write("[");
  const full = await entry.ask("/v1/in/open", { body: [alert("D")] });
  isProblem(t, full, 503, "queue_full");
  t.match(full.headers.get("retry-after"), /^\d+$/);
  const [late] = (await once(socket, "data")) as [Buffer];
  t.match(late.toString(), /^HTTP\/1\.1 408 /);
  socket.destroy();
  await until("the place is free again", async () => {
    const { status } = await entry.ask("/v1/in/open", { body: [alert("D")] });
    return status === 202;
  });
});

await t.test("Alertmanager's API answers in Alertmanager's words below its prefix", async (t) => {
  const at = "/compat/alertmanager/bearer";
  const headers = { authorization: "Bearer s-bearer" };
  const ask = (path: string, more: Ask = {}) => client.ask(`${at}${path}`, { headers, ...more });
  const posted = await ask("/api/v2/alerts", { body: [alert("E")] });
  t.same([posted.status, posted.text], [200, ""]);
  const faulty = await ask("/api/v2/alerts", { body: [alert("F"), { labels: {} }] });
  t.equal(faulty.status, 400);
  t.type(faulty.json<unknown>(), "string", "an error is a bare JSON string");
  for (const path of ["/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/receivers", "/api/v2/silences"]) {
    const answer = await ask(path);
    t.equal(answer.status, 200, path);
    t.ok(Array.isArray(answer.json<unknown>()), `${path} is a list`);
    t.equal((await client.ask(`${at}${path}`)).status, 401, `${path} is guarded`);
  }
  t.match((await ask("/api/v2/status")).json(), { versionInfo: { version: String }, config: { original: String } });
  for (const path of ["/-/healthy", "/-/ready"]) {
    t.equal((await client.ask(`${at}${path}`, { headers: { authorization: "" } })).status, 200, path);
  }
  t.equal((await client.ask("/compat/alertmanager/nagios/api/v2/alerts")).status, 404, "not of that type");
});

await t.test("Alertmanager's API has a listener of its own where the configuration names one", async (t) => {
  const [own = ""] = /http:\/\/127\.0\.0\.1:\d+(?= \(Alertmanager)/.exec(product.output()) ?? [];
  t.match(own, /^http/, "it is printed");
  t.not(own, ready.url);
  const headers = { authorization: "Bearer s-bearer" };
  const response = await fetch(`${own}/api/v2/alerts`, { method: "POST", headers, body: JSON.stringify([alert("H")]) });
  t.equal(response.status, 200);
  t.equal((await fetch(`${own}/-/ready`)).status, 200);
  t.equal((await fetch(`${own}/v1/incidents`, { headers: { authorization: `Bearer ${token}` } })).status, 404);
});

await t.test("a full disk is answered with 503 and Retry-After, and nothing is taken", async (t) => {
  const yaml = (floor: string): string =>
    `version: 1\nsources:\n  am: { type: alertmanager }\nlimits: { free_space: ${floor} }\n`;
  const folder = testFolder(t, { "winnow.yaml": yaml("1MiB") });
  const before = await startInMode({ folder });
  t.equal((await before.client.ask("/v1/in/am", { body: [alert("I")] })).status, 202);
  await until("nothing in flight", async () => {
    const { in_flight } = await before.client.get<Accounting>("/v1/accounting");
    return in_flight === 0;
  });
  await before.stop();
  writeFileSync(join(folder, "winnow.yaml"), yaml("1000TiB"));
  const full = await startInMode({ folder });
  t.teardown(async () => void (await full.stop()));
  const answer = await full.client.ask("/v1/in/am", { body: [alert("I")] });
  isProblem(t, answer, 503, "unavailable");
  t.match(answer.headers.get("retry-after"), /^\d+$/);
  t.equal((await full.entry.ask("/readyz")).status, 503, "and it says that it is not ready");
  t.match(await full.client.get("/v1/accounting"), { accepted: 1, in_flight: 0 }, "the one from before is kept");
});
