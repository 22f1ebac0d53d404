import t from "tap";
import { labelFingerprint } from "../src/dialects/alertmanager-fingerprint.ts";
import { matchesAll, parseMatcher } from "../src/dialects/alertmanager-matchers.ts";
import { startDialect, view } from "./support/alertmanager.ts";
import { token } from "./support/world.ts";

const base = "/compat/alertmanager/prom";
const headers = { authorization: `Bearer ${token}` };
const alert = (alertname: string, more: object = {}): object => ({
  labels: { alertname, severity: "critical" },
  annotations: { summary: alertname },
  startsAt: "2026-11-24T09:59:00Z",
  endsAt: "2026-11-24T10:04:00Z",
  ...more,
});

type World = Awaited<ReturnType<typeof startDialect>>;

const postAlerts = (world: World, body: unknown) =>
  world.send(`${base}/api/v2/alerts`, { headers, body: typeof body === "string" ? body : JSON.stringify(body) });

const get = (world: World, path: string) => world.send(`${base}${path}`, { method: "GET", headers });

await t.test("posted alerts are durable and answered with an empty 200", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  const { status, text, headers: answered } = await postAlerts(world, [alert("A"), alert("B")]);
  t.equal(status, 200);
  t.equal(text, "");
  t.equal(answered.get("cache-control"), "no-store");
  t.same(
    world.log
      .items()
      .map((item) => (item as { class: string }).class)
      .toSorted(),
    ["A", "B"],
  );
  t.equal((await postAlerts(world, [])).status, 200, "an empty list is no fault");
});

await t.test(
  "valid alerts are stored even where others are not; then the answer is 400 with a bare JSON string",
  async (t) => {
    const world = await startDialect();
    t.teardown(world.close);
    const { status, json } = await postAlerts(world, [alert("A"), { labels: {} }, alert("C"), 7]);
    t.equal(status, 400);
    t.type(json, "string");
    t.match(json, /\[1\].*; \[3\]/);
    const events = world.log.items().filter((item) => "fingerprint" in (item as object));
    t.equal(events.length, 2);
    t.equal(world.log.items().length, 4, "the bad ones are dead letters");
  },
);

await t.test("what cannot be read is 400, kept, and said in words", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  const { status, json } = await postAlerts(world, "[{");
  t.equal(status, 400);
  t.match(json, /not valid JSON/);
  t.match(world.log.items(), [{ type: "dead_letter", reason: { code: "invalid_json" } }]);
});

await t.test("a log that fails is 503 with Retry-After", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  world.log.failNext("log_write_failed");
  const { status, headers: answered, json } = await postAlerts(world, [alert("A")]);
  t.equal(status, 503);
  t.ok(answered.has("retry-after"));
  t.type(json, "string");
});

await t.test("a body that is too large is 413", async (t) => {
  const world = await startDialect({ limits: { bodyBytes: 100 } });
  t.teardown(world.close);
  t.equal((await postAlerts(world, [alert("A")])).status, 413);
});

await t.test("the integration's token guards every path but the probes", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  const paths = ["alerts", "alerts/groups", "status", "receivers", "silences", "silence/x"].map(
    (path) => `/api/v2/${path}`,
  );
  for (const path of [...paths, "/metrics"]) {
    t.equal((await world.send(base + path, { method: "GET" })).status, 401, path);
    t.equal((await world.send(`/compat/alertmanager/nope${path}`, { method: "GET", headers })).status, 404, path);
    t.equal(
      (await world.send(`/compat/alertmanager/other${path}`, { method: "GET", headers })).status,
      404,
      "another type",
    );
  }
  t.equal((await world.send(`${base}/api/v2/alerts`, { body: "[]" })).status, 401);
  t.equal((await world.send("/compat/alertmanager/other/api/v2/alerts", { headers, body: "[]" })).status, 404);
  t.match(await world.send(`${base}/-/healthy`, { method: "GET" }), { status: 200, text: "OK" });
  t.match(await world.send(`${base}/-/ready`, { method: "GET" }), { status: 200, text: "OK" });
  world.receiver.beginClosing();
  t.match(await world.send(`${base}/-/ready`, { method: "GET" }), { status: 503 });
  t.match(await world.send("/compat/alertmanager/nope/-/healthy", { method: "GET" }), { status: 404 });
});

await t.test("Basic in the URL opens it, as amtool and Prometheus send it", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  const basic = { authorization: `Basic ${btoa(`anyone:${token}`)}` };
  t.equal((await world.send(`${base}/api/v2/status`, { method: "GET", headers: basic })).status, 200);
});

const open = [
  view({ alertname: "B", severity: "critical", service: "db" }),
  view(
    { alertname: "A", severity: "warning" },
    { ends_ms: Date.parse("2026-11-24T10:30:00Z"), generator_url: "http://p/g" },
  ),
  view({ alertname: "S" }, { silenced_by: ["silence-1"] }),
  view({ alertname: "I" }, { inhibited_by: ["abc"], receivers: ["chat"] }),
  view({ alertname: "U" }, { unprocessed: true, receivers: [] }),
];

await t.test("alerts are shown as Alertmanager shows them, sorted by its own fingerprint", async (t) => {
  const world = await startDialect({ alerts: open });
  t.teardown(world.close);
  const { json, headers: answered, status } = await get(world, "/api/v2/alerts");
  t.equal(status, 200);
  t.equal(answered.get("cache-control"), "no-store");
  const shown = json as unknown as { fingerprint: string; labels: { alertname: string } }[];
  const fingerprints = shown.map((one) => one.fingerprint);
  t.same(fingerprints, fingerprints.toSorted());
  t.same(world.asked, ["prom"]);
  t.match(
    shown.find((one) => one.labels.alertname === "A"),
    {
      annotations: { summary: "text" },
      labels: { alertname: "A", severity: "warning" },
      startsAt: "2026-11-24T09:00:00.000Z",
      endsAt: "2026-11-24T10:30:00.000Z",
      updatedAt: "2026-11-24T09:00:01.000Z",
      generatorURL: "http://p/g",
      fingerprint: labelFingerprint({ alertname: "A", severity: "warning" }),
      receivers: [{ name: "snow" }],
      status: { state: "active", silencedBy: [], inhibitedBy: [], mutedBy: [] },
    },
  );
  const stateOf = (name: string): unknown => shown.find((one) => one.labels.alertname === name);
  t.match(stateOf("B"), { endsAt: "2026-11-24T10:05:00.000Z", generatorURL: "" });
  t.match(stateOf("S"), { status: { state: "suppressed", silencedBy: ["silence-1"] } });
  t.match(stateOf("I"), { status: { state: "suppressed", inhibitedBy: ["abc"] } });
  t.match(stateOf("U"), { status: { state: "unprocessed" }, receivers: [] });
});

await t.test("filters are honoured", async (t) => {
  const world = await startDialect({ alerts: open });
  t.teardown(world.close);
  const names = async (query: string): Promise<string> => {
    const { json } = await get(world, `/api/v2/alerts?${query}`);
    return (json as unknown as { labels: { alertname: string } }[])
      .map(({ labels }) => labels.alertname)
      .toSorted()
      .join("");
  };
  const all = { active: "true", silenced: "true", inhibited: "true", unprocessed: "true" };
  const only = (off: Record<string, string>): Promise<string> =>
    names(new URLSearchParams({ ...all, ...off }).toString());
  t.equal(await names(""), "ABISU");
  t.equal(await only({ silenced: "false" }), "ABIU");
  t.equal(await only({ inhibited: "false" }), "ABSU");
  t.equal(await only({ unprocessed: "false" }), "ABIS");
  t.equal(await only({ active: "false", unprocessed: "false" }), "IS");
  t.equal(await names("active=true&inhibited=false&silenced=false&unprocessed=false"), "AB", "as amtool asks");
  const filter = (...texts: string[]): Promise<string> =>
    names(texts.map((it) => `filter=${encodeURIComponent(it)}`).join("&"));
  t.equal(await filter('severity="critical"'), "B");
  t.equal(await filter("severity=~crit.*|warn"), "B", "a pattern matches the whole value");
  t.equal(await filter('severity!=""', 'alertname!~"A|X"'), "B");
  t.equal(await filter('service=""'), "AISU", "a label that is not there is empty");
  t.equal(await names("receiver=ch.t"), "I");
  t.equal(await names("receiver=cha"), "");
  for (const bad of ["severity", "=x", 'a="b', "a=~(", "a=~(?=x)", `a=${"x".repeat(5_000)}`]) {
    const { status, json } = await get(world, `/api/v2/alerts?filter=${encodeURIComponent(bad)}`);
    t.equal(status, 400, bad.slice(0, 20));
    t.type(json, "string");
  }
  t.equal((await get(world, "/api/v2/alerts?receiver=(")).status, 400);
});

await t.test("a hostile pattern ends in time", async (t) => {
  const parsed = parseMatcher("a=~(a+)+b");
  if (!parsed.ok) throw new Error(parsed.message);
  t.notOk(matchesAll({ a: "a".repeat(50_000) }, [parsed.matcher]));
});

await t.test("groups show incidents; those that a filter empties are left out", async (t) => {
  const groups = [
    { labels: { service: "db", incident_id: "i1" }, receiver: "snow", alerts: open.slice(0, 2) },
    { labels: { service: "web", incident_id: "i2" }, receiver: "chat", alerts: open.slice(2, 4) },
  ];
  const world = await startDialect({ groups });
  t.teardown(world.close);
  const shown = async (query: string): Promise<unknown> => (await get(world, `/api/v2/alerts/groups?${query}`)).json;
  t.match(await shown(""), [
    { labels: { incident_id: "i1" }, receiver: { name: "snow" }, alerts: [{ fingerprint: String }, {}] },
    { labels: { incident_id: "i2" }, receiver: { name: "chat" } },
  ]);
  t.match(await shown("silenced=false&inhibited=false"), [{ labels: { incident_id: "i1" } }]);
  t.equal(((await shown("receiver=chat")) as unknown[]).length, 1);
  t.same(await shown(`filter=${encodeURIComponent('alertname="none"')}`), []);
});

await t.test("status has what clients read, receivers are the destinations", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  const { json } = await get(world, "/api/v2/status");
  t.match(json, { cluster: { status: "disabled", peers: [] }, uptime: "2026-11-24T10:00:00.000Z" });
  t.same(Object.keys(json["versionInfo"] as object).toSorted(), [
    "branch",
    "buildDate",
    "buildUser",
    "goVersion",
    "revision",
    "version",
  ]);
  t.equal(
    (json["config"] as { original: string }).original,
    'route:\n  receiver: "snow"\nreceivers:\n- name: "snow"\n- name: "chat \\"ops\\""\n',
  );
  t.same((await get(world, "/api/v2/receivers")).json, [{ name: "snow" }, { name: 'chat "ops"' }]);
  t.match((await get(world, "/metrics")).text, /^alertmanager_build_info\{version="\d+\.\d+\.\d+"/m);
});

await t.test("silences are empty, and setting one is refused with a sentence", async (t) => {
  const world = await startDialect();
  t.teardown(world.close);
  t.same((await get(world, "/api/v2/silences")).json, []);
  t.equal((await get(world, "/api/v2/silence/x")).status, 404);
  const set = await world.send(`${base}/api/v2/silences`, { headers, body: "{}" });
  t.equal(set.status, 400);
  t.match(set.json, /no silences/);
  const end = await world.send(`${base}/api/v2/silence/x`, { method: "DELETE", headers });
  t.equal(end.status, 500, "the status whose text amtool shows");
  t.match(end.json, /no silences/);
});

await t.test("on a listener of its own the same paths stand at the root", async (t) => {
  const world = await startDialect({ root: "prom", alerts: open });
  t.teardown(world.close);
  t.equal((await world.send("/api/v2/alerts", { headers, body: JSON.stringify([alert("A")]) })).status, 200);
  t.equal((await world.send("/api/v2/alerts", { method: "GET", headers })).status, 200);
  t.equal((await world.send("/-/ready", { method: "GET" })).status, 200);
  t.equal((await world.send("/api/v2/status", { method: "GET" })).status, 401);
});

await t.test("the fingerprint is Alertmanager's own", async (t) => {
  t.equal(labelFingerprint({ severity: "critical", alertname: "AlwaysOn", service: "checkout" }), "6cf99f3227808c83");
  t.equal(labelFingerprint({}), "cbf29ce484222325", "FNV-1a's offset basis");
});

await t.test("matchers are read as amtool writes them", async (t) => {
  const fits = (text: string, labels: Record<string, string>): boolean | string => {
    const parsed = parseMatcher(text);
    return parsed.ok ? matchesAll(labels, [parsed.matcher]) : parsed.message;
  };
  t.equal(fits('a="x \\"y\\" \\\\ \\n"', { a: 'x "y" \\ \n' }), true);
  t.equal(fits(" a = x ", { a: "x" }), true);
  t.equal(fits('"with space"="x"', { "with space": "x" }), true);
  t.equal(fits("a!=x", { a: "x" }), false);
  t.equal(fits("a!~x", {}), true);
  t.equal(fits("constructor=x", {}), false);
  t.match(fits("a b=c", {}), /bad matcher/);
  t.match(fits('a="b"c', {}), /bad matcher/);
});
