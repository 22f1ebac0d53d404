/** What can be read of a running Winnow, field by field, as the outside contract says. */
import t, { type Test } from "tap";
import { exampleConfiguration, type SentAlert, startExample } from "./support/example.ts";
import type { Accounting, Delivery, Incident, Member, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

/** The contract's tables: the fields of each thing, and of the things inside it. */
const fields = {
  incident:
    "id number state priority impact urgency priority_inputs severity title service environment category rule " +
    "group_key opened_at last_event_at acknowledged_at resolved_at member_count open_member_count event_count " +
    "previous_id merged_into version deliveries",
  alert:
    "fingerprint identity source integration status severity severity_source title episode count flags labels " +
    "first_seen_at last_seen_at expires_at incident_id",
  delivery:
    "incident_id destination generation delivery_state desired_version applied_version remote_id remote_url attempts " +
    "due_at last_error",
  timeline: "seq at kind actor reason",
  explanation: "seq at kind actor reason why_not",
  deadLetter: "id received_at integration reason bytes sha256 raw_base64 attempts state",
  accounting: "accepted in_flight outcomes",
  rule: "id digest",
  part: "k v",
  episode: "id started_at ended_at resolve_reason",
  reason: "code text rule_id rule_digest evidence",
  whyNot: "rule_id condition expected actual",
  outcomes: "opened joined updated resolved duplicate outdated pending non_alert dead_letter",
} as const;

/** Fields that were added since: whoever reads the contract's does not mind them. */
const added: Readonly<Partial<Record<keyof typeof fields, string>>> = {
  alert: "service environment host",
  timeline: "text fingerprint",
  explanation: "text fingerprint incident_id group_key",
};

const metricNames = [
  "winnow_events_received_total",
  "winnow_events_accepted_total",
  "winnow_events_rejected_total",
  "winnow_events_settled_total",
  "winnow_events_in_flight",
  "winnow_ack_seconds",
  "winnow_post_to_ticket_seconds",
  "winnow_deliveries",
  "winnow_incidents",
  "winnow_log_lag_records",
  "winnow_config_last_reload_successful",
];

const describedPaths = [
  "/v1/in/{integration}",
  "/v1/in/{integration}/{token}",
  "/v1/incidents",
  "/v1/incidents/{id}",
  "/v1/incidents/{id}/members",
  "/v1/incidents/{id}/timeline",
  "/v1/incidents/{id}/explanation",
  "/v1/incidents/{id}/ack",
  "/v1/incidents/{id}/resolve",
  "/v1/incidents/{id}/note",
  "/v1/alerts",
  "/v1/alerts/{fingerprint}",
  "/v1/deliveries",
  "/v1/dead-letters",
  "/v1/dead-letters/{id}",
  "/v1/dead-letters/{id}/retry",
  "/v1/dead-letters/{id}/discard",
  "/v1/explain",
  "/v1/rules/check",
  "/v1/accounting",
  "/v1/events",
  "/healthz",
  "/readyz",
  "/metrics",
];

type Thing = Readonly<Record<string, unknown>>;

function hasFields(t: Test, thing: unknown, name: keyof typeof fields): void {
  const wanted = `${fields[name]} ${added[name] ?? ""}`.trim().split(" ").toSorted();
  t.same(Object.keys(thing as Thing).toSorted(), wanted, `the fields of ${name}`);
}

function first<Item>(items: readonly Item[]): Item {
  const [item] = items;
  if (item === undefined) throw new Error("the list is empty");
  return item;
}

const teams: readonly SentAlert[] = ["checkout", "orders", "mail"].flatMap((service, index) =>
  ["a", "b"].map((host) => ({
    labels: {
      alertname: "Slow",
      service,
      severity: ["critical", "error", "warning"][index] ?? "info",
      team: "web",
      instance: `${host}:1`,
    },
  })),
);

// Incidents whose hold is over at once, so that tickets are there.
const { product, send } = await startExample(t, (text) => text.replace("hold: 5s ", "hold: 0s "));
const { client } = product;
await send(teams);
await send([{ labels: { alertname: "Unowned", service: "cron" } }]);
await client.ask("/v1/in/prometheus-prod", { headers: { authorization: "Bearer am-token-of-the-example" }, body: "{" });
await client.ask("/v1/in/prometheus-prod", { headers: { authorization: "Bearer am-token-of-the-example" }, body: "[" });

const incidents = await until("four incidents, three with tickets, one for nobody", async (told) => {
  const { items } = await client.get<Page<Incident>>("/v1/incidents");
  told(items.map(({ title, member_count, deliveries }) => ({ title, member_count, deliveries })));
  const delivered = items.flatMap(({ deliveries }) => deliveries).filter(({ remote_id }) => remote_id !== null);
  return (
    items.length === 4 && items.filter((one) => one.member_count === 2).length === 3 && delivered.length >= 3 && items
  );
});
// An incident can be read a moment before the commit that shows its alerts.
await until("every event has ended", async (told) => {
  const accounting = await client.get<Accounting>("/v1/accounting");
  told(accounting);
  return accounting.in_flight === 0;
});
// Each event ends where it is decided; that a dead letter can be read is a stage later.
await until("two dead letters", async () => (await client.get<Page<Thing>>("/v1/dead-letters")).items.length === 2);
const checkout = first(incidents.filter(({ service }) => service === "checkout"));

await t.test("an incident has the contract's fields, in the list and alone, by id and by number", async (t) => {
  const listed = first((await client.get<Page<Thing>>("/v1/incidents?q=checkout")).items);
  const alone = await client.get<Thing>(`/v1/incidents/${checkout.id}`);
  const numbered = await client.get<Thing>(`/v1/incidents/${checkout.number}`);
  for (const incident of [listed, alone, numbered]) {
    hasFields(t, incident, "incident");
    hasFields(t, incident["rule"], "rule");
    hasFields(t, first(incident["group_key"] as Thing[]), "part");
    hasFields(t, first(incident["deliveries"] as Thing[]), "delivery");
  }
  t.match(alone, {
    id: checkout.id,
    state: "new",
    priority: "P2",
    impact: "medium",
    urgency: "high",
    service: "checkout",
    environment: "prod",
    category: "software",
    severity: "critical",
    acknowledged_at: null,
    resolved_at: null,
    previous_id: null,
    merged_into: null,
    group_key: [{ k: "service", v: "checkout" }],
    opened_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  });
  t.equal((await client.ask("/v1/incidents/inc_none")).status, 404);
});

await t.test("incidents are found by state, priority and words", async (t) => {
  const found = async (query: string): Promise<readonly string[]> =>
    (await client.get<Page<Incident>>(`/v1/incidents?${query}`)).items.map(({ service }) => String(service)).toSorted();
  t.same(await found("state=new"), ["checkout", "cron", "mail", "orders"]);
  t.same(await found("state=resolved,closed"), []);
  t.same(await found("priority=P2"), ["checkout"], "medium impact, high urgency");
  t.same(await found("priority=P3,P2"), ["checkout", "cron", "orders"]);
  t.same(await found("priority=P3&q=slow"), ["orders"]);
  t.same(await found("q=slow%20mail"), ["mail"], "all words count");
  for (const query of ["state=odd", "priority=P9", "limit=0", "limit=x"]) {
    const answer = await client.ask(`/v1/incidents?${query}`);
    t.equal(answer.status, 400, query);
    t.match(answer.json(), { code: "bad_request", status: 400, title: String, detail: String });
    t.match(answer.headers.get("content-type"), /^application\/problem\+json/);
  }
});

/** All items of a list, page by page of one, as a client without knowledge of cursors takes them. */
async function byOnes(path: string): Promise<Thing[]> {
  const items: Thing[] = [];
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: Page<Thing> = await client.get<Page<Thing>>(`${path}?limit=1${more}`);
    if (page.items.length > 1) throw new Error(`${path} gave ${page.items.length} items for limit=1`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return items;
}

await t.test("every list is the same in one page and page by page", async (t) => {
  const home = `/v1/incidents/${checkout.id}`;
  const lists = ["/v1/incidents", "/v1/alerts", "/v1/deliveries", "/v1/dead-letters"];
  for (const path of [...lists, `${home}/members`, `${home}/timeline`, `${home}/explanation`]) {
    const whole = await client.get<Page<Thing>>(`${path}?limit=500`);
    t.same(Object.keys(whole).toSorted(), ["items", "next_cursor"], path);
    t.equal(whole.next_cursor, null);
    t.ok(whole.items.length >= 2, `${path} has ${whole.items.length}`);
    t.same(await byOnes(path), whole.items, `${path} by ones`);
  }
});

await t.test("members, timeline and explanation tell why", async (t) => {
  const home = `/v1/incidents/${checkout.id}`;
  const members = (await client.get<Page<Member & Thing>>(`${home}/members`)).items;
  t.same(members.map(({ host }) => String(host)).toSorted(), ["a", "b"]);
  const timeline = (await client.get<Page<Thing>>(`${home}/timeline`)).items;
  const explanation = (await client.get<Page<Thing>>(`${home}/explanation`)).items;
  for (const row of timeline) hasFields(t, row, "timeline");
  for (const row of explanation) hasFields(t, row, "explanation");
  for (const row of [...members, ...timeline, ...explanation]) hasFields(t, row["reason"], "reason");
  t.match(timeline, [
    { seq: 1, kind: "opened", actor: "winnow", reason: { code: "rule_opened", rule_id: "per-service" } },
  ]);
  t.ok(timeline.some(({ kind, reason }) => kind === "delivery" && (reason as Thing)["code"] === "ticket_created"));
});

await t.test("alerts and deliveries have the contract's fields", async (t) => {
  const { items } = await client.get<Page<Thing>>("/v1/alerts?integration=prometheus-prod&status=firing");
  t.equal(items.length, 7);
  for (const alert of items) {
    hasFields(t, alert, "alert");
    hasFields(t, alert["episode"], "episode");
    for (const part of alert["identity"] as Thing[]) hasFields(t, part, "part");
  }
  const { fingerprint } = first(items) as { fingerprint: string };
  t.same(await client.get(`/v1/alerts/${fingerprint}`), first(items), "one alone is the same");
  t.equal((await client.ask("/v1/alerts/00000000000000000000000000000000")).status, 404);
  t.same((await client.get<Page<Thing>>("/v1/alerts?status=resolved")).items, []);
  const deliveries = (await client.get<Page<Delivery & Thing>>("/v1/deliveries?destination=snow")).items;
  for (const delivery of deliveries) hasFields(t, delivery, "delivery");
  t.same(new Set(deliveries.map(({ destination }) => destination)), new Set(["snow"]));
});

await t.test(
  "explain answers for a fingerprint, an event and a raw body, with the rules that did not match",
  async (t) => {
    const { items } = await client.get<Page<Thing & { fingerprint: string; service: string }>>("/v1/alerts");
    const owned = first(items.filter(({ service }) => service === "checkout"));
    const unowned = first(items.filter(({ service }) => service === "cron"));
    const known = (await client.ask("/v1/explain", { body: { fingerprint: owned.fingerprint } })).json();
    hasFields(t, known, "explanation");
    t.match(known, { fingerprint: owned.fingerprint, incident_id: checkout.id, reason: { rule_id: "per-service" } });
    const other = (await client.ask("/v1/explain", { body: { fingerprint: unowned.fingerprint } })).json();
    t.match(other, {
      reason: { rule_id: "catch-all" },
      why_not: [{ rule_id: "per-service", condition: /labels\.team/ }],
    });
    hasFields(t, first(other["why_not"] as Thing[]), "whyNot");

    const raw = await client.ask("/v1/explain?integration=prometheus-prod", {
      body: [{ labels: { alertname: "New" } }],
    });
    t.match(raw.json(), { incident_id: null, reason: { rule_id: "catch-all" } }, "nothing of it is stored");
    const event = {
      spec: "winnow.alert/1",
      tenant: "default",
      scope: "default",
      source: "nagios",
      integration: "nagios",
      fingerprint: "0".repeat(32),
      severity: "critical",
      title: "Disk",
      dedup_key: "disk",
      identity: [{ k: "host", v: "db" }],
      service: "disk",
      labels: { team: ["db"] },
      annotations: {},
      links: [],
    };
    t.match((await client.ask("/v1/explain", { body: event })).json(), { reason: { rule_id: "per-service" } });
    t.match((await client.ask("/v1/explain", { body: { event } })).json(), { reason: { rule_id: "per-service" } });
    t.equal((await client.ask("/v1/explain", { body: { nothing: 1 } })).status, 400);
    t.equal((await client.ask("/v1/explain", { body: { fingerprint: "f".repeat(32) } })).status, 404);
  },
);

await t.test("rules are judged with file, line, column, path, message and hint", async (t) => {
  const rules = exampleConfiguration.slice(
    exampleConfiguration.indexOf("rules:"),
    exampleConfiguration.indexOf("destinations:"),
  );
  const good = await client.ask("/v1/rules/check", { body: rules });
  t.equal(good.status, 200, good.text);
  const bad = await client.ask("/v1/rules/check", { body: rules.replace("group_by", "groupby") });
  t.equal(bad.status, 422);
  const { code, errors } = bad.json<{ code: string; errors: Thing[] }>();
  t.equal(code, "rules_invalid");
  for (const error of errors) {
    t.same(Object.keys(error).toSorted(), ["column", "file", "hint", "line", "message", "path"]);
  }
  t.match(
    errors.find(({ message }) => /groupby/.test(String(message))),
    { line: 4, column: 5, path: "rules[0].groupby", hint: /group_by/ },
  );
});

await t.test("accounting adds up", async (t) => {
  const accounting = await until("nothing in flight", async () => {
    const now = await client.get<Accounting>("/v1/accounting");
    return now.in_flight === 0 && now;
  });
  hasFields(t, accounting, "accounting");
  hasFields(t, accounting.outcomes, "outcomes");
  t.match(accounting, { accepted: 9, outcomes: { opened: 4, joined: 3, dead_letter: 2 } });
});

await t.test("health and metrics are open to everybody; the description names every path", async (t) => {
  const open = { headers: { authorization: "" } };
  t.equal((await client.ask("/healthz", open)).status, 200);
  const ready = (await client.ask("/readyz", open)).json();
  t.same(Object.keys(ready).toSorted(), ["checks", "status"]);
  const metrics = await client.ask("/metrics", open);
  t.match(metrics.headers.get("content-type"), /^text\/plain/);
  const lines = new Set(metrics.text.split("\n"));
  const names = new Set([...metrics.text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name));
  for (const name of metricNames) t.ok(names.has(name), name);
  for (const line of [
    'winnow_events_settled_total{outcome="opened"} 4',
    'winnow_incidents{state="new",priority="P2"} 1',
    'winnow_events_accepted_total{integration="prometheus-prod"} 7',
    'winnow_events_rejected_total{integration="prometheus-prod",reason="invalid_json"} 2',
  ]) {
    t.ok(lines.has(line), line);
  }
  const { openapi, paths, components } = (await client.ask("/openapi.json", open)).json<OpenApi>();
  t.match(openapi, /^3\./);
  for (const path of describedPaths) t.ok(paths[path], path);
  t.same(
    Object.keys(components.schemas["Incident"]?.properties ?? {}).toSorted(),
    fields.incident.split(" ").toSorted(),
  );
});

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, object>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties: object }>> };
}

await t.test("whoever has no token, or asks for what is not there, gets a problem with a code", async (t) => {
  const home = `/v1/incidents/${checkout.id}`;
  for (const path of ["/v1/incidents", home, `${home}/timeline`, "/v1/alerts", "/v1/accounting", "/v1/events"]) {
    for (const authorization of ["", "Bearer wrong", `Basic ${product.ready.token}`]) {
      const answer = await client.ask(path, { headers: { authorization } });
      t.equal(answer.status, 401, `${path} with "${authorization.slice(0, 12)}"`);
      t.match(answer.json(), { type: String, title: String, status: 401, code: "unauthorized" });
    }
  }
  const nowhere = await client.ask("/v1/nothing");
  t.equal(nowhere.status, 404);
  t.match(nowhere.headers.get("content-type"), /^application\/problem\+json/);
  t.match(nowhere.json(), { status: 404, code: "not_found" });
});
