import type { AuthKind } from "@winnow/sources";
import t from "tap";
import { alerts, credential, integration, rawSocket, startWorld, token, type World } from "./support/world.ts";

/** Where a secret may stand, and how a sender puts it there. */
const places: Readonly<Record<AuthKind, (secret: string) => { path: string; headers: Record<string, string> }>> = {
  header: (secret) => ({ path: "/v1/in/prom", headers: { "x-winnow-token": secret } }),
  bearer: (secret) => ({ path: "/v1/in/prom", headers: { authorization: `Bearer ${secret}` } }),
  basic: (secret) => ({ path: "/v1/in/prom", headers: { authorization: `Basic ${btoa(`anyone:${secret}`)}` } }),
  query: (secret) => ({ path: `/v1/in/prom?token=${encodeURIComponent(secret)}`, headers: {} }),
  path: (secret) => ({ path: `/v1/in/prom/${encodeURIComponent(secret)}`, headers: {} }),
};
const kinds = Object.keys(places) as AuthKind[];

async function statusOf(world: World, kind: AuthKind, secret: string): Promise<number> {
  const { path, headers } = places[kind](secret);
  const { status } = await world.send(path, { headers, body: alerts("a") });
  return status;
}

const lastWrong = `${token.slice(0, -1)}!`;

for (const kind of kinds) {
  await t.test(`a token given as ${kind} opens its integration, and nothing near it does`, async (t) => {
    const old = "the-one-before-it-is-retired";
    const credentials = [credential(token, { kinds: [kind] }), credential(old, { kinds: [kind] })];
    const world = await startWorld({ integrations: [integration("prom", undefined, { credentials })] });
    t.teardown(world.close);
    t.equal(await statusOf(world, kind, token), 202, "the new secret");
    t.equal(await statusOf(world, kind, old), 202, "the old secret, while both live");
    t.equal(await statusOf(world, kind, lastWrong), 401, "last byte wrong");
    t.equal(await statusOf(world, kind, `${token}x`), 401, "longer");
    t.equal(await statusOf(world, kind, token.slice(0, -1)), 401, "shorter");
    t.equal(await statusOf(world, kind, "x".repeat(4_000).slice(0, kind === "path" ? 400 : 4_000)), 401, "far longer");
    t.equal((await world.send("/v1/in/prom", { body: alerts("a") })).status, 401, "missing");
    for (const wrong of kinds.filter((other) => other !== kind)) {
      t.equal(await statusOf(world, wrong, token), 401, `the right token as ${wrong}`);
    }
    t.equal(world.log.items().length, 2);
  });
}

await t.test("one default token is taken in every place", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  for (const kind of kinds) {
    t.equal(await statusOf(world, kind, token), 202, kind);
    t.equal(await statusOf(world, kind, lastWrong), 401, kind);
  }
});

await t.test("a wrong token beside the right one does no harm", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const headers = { "x-winnow-token": "wrong", authorization: `Bearer ${token}` };
  t.equal((await world.send("/v1/in/prom?token=wrong", { headers, body: alerts("a") })).status, 202);
});

await t.test("a header of the integration's own choice is compared whole", async (t) => {
  const credentials = [credential("GenieKey abc", { kinds: ["header"], header: "Authorization" })];
  const world = await startWorld({ integrations: [integration("prom", undefined, { credentials })] });
  t.teardown(world.close);
  const status = async (authorization: string): Promise<number> =>
    (await world.send("/v1/in/prom", { headers: { authorization }, body: alerts("a") })).status;
  t.equal(await status("GenieKey abc"), 202);
  t.equal(await status("GenieKey abd"), 401);
  t.equal(await status("Bearer GenieKey abc"), 401);
});

await t.test("where a user name is set, Basic needs both", async (t) => {
  const credentials = [credential("pa:ss", { kinds: ["basic"], username: "nagios" })];
  const world = await startWorld({ integrations: [integration("prom", undefined, { credentials })] });
  t.teardown(world.close);
  const status = async (pair: string): Promise<number> =>
    (await world.send("/v1/in/prom", { headers: { authorization: `basic ${btoa(pair)}` }, body: alerts("a") })).status;
  t.equal(await status("nagios:pa:ss"), 202);
  t.equal(await status("zabbix:pa:ss"), 401);
  t.equal(await status("nagios:pass"), 401);
  t.equal(await status("nagios"), 401);
});

await t.test("broken credentials are refused, never a fault", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  for (const authorization of [
    "Basic",
    "Basic ",
    "Basic ====",
    "Bearer",
    "Bearer ",
    "",
    " ",
    "\u00e9",
    `Digest ${token}`,
  ]) {
    t.equal((await world.send("/v1/in/prom", { headers: { authorization }, body: alerts("a") })).status, 401);
  }
  t.equal((await world.send("/v1/in/prom?token=a&token=b", { body: alerts("a") })).status, 401);
});

await t.test("an unknown integration is 404 with any token", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  for (const name of ["nope", "__proto__", "constructor", "prom%00", "%zz", "x".repeat(600)]) {
    t.equal(
      (await world.send(`/v1/in/${name}`, { headers: { "x-winnow-token": token }, body: "{}" })).status,
      404,
      name,
    );
  }
  t.equal(await world.metric('winnow_events_rejected_total{integration="other",reason="unknown_integration"}'), 4);
});

await t.test("a refusal is a problem document, and 401 names the schemes", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { headers, json } = await world.send("/v1/in/prom", { body: alerts("a") });
  t.match(headers.get("content-type"), /^application\/problem\+json/);
  t.match(headers.get("www-authenticate"), /Bearer.*Basic/);
  t.match(json, { type: "about:blank", status: 401, code: "unauthorized", title: /token/ });
  t.equal(await world.metric('winnow_events_rejected_total{integration="prom",reason="unauthorized"}'), 1);
});

await t.test("a wrong token is refused before the body is read", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { write, until, socket } = rawSocket(world.port);
  write("POST /v1/in/prom HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nonly the beginning");
  t.match(await until(/unauthorized/), /^HTTP\/1.1 401/);
  socket.destroy();
});

await t.test("live secrets are taken out of what is stored, however they are written", async (t) => {
  const secret = 'p&ss "1"';
  const integrations = [integration("prom", undefined, { credentials: [credential(secret)] })];
  const world = await startWorld({ integrations });
  t.teardown(world.close);
  const body = `${secret} ${encodeURIComponent(secret)} ${JSON.stringify(secret)} stays`;
  const { status } = await world.send(`/v1/in/prom?token=${encodeURIComponent(secret)}`, { body });
  t.equal(status, 202);
  const [letter] = world.log.items() as { raw_base64: string }[];
  const kept = Buffer.from(letter?.raw_base64 ?? "", "base64").toString();
  t.equal(kept, '[redacted] [redacted] "[redacted]" stays');
  t.notMatch(JSON.stringify(letter), "p&ss");
});
