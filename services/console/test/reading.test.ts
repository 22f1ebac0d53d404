import { hash } from "node:crypto";
import { createLogger, Metrics } from "@winnow/platform";
import type { IncidentRow, IncidentStore, StoredToken, WindowStore } from "@winnow/ports";
import { fastify } from "fastify";
import t from "tap";
import { type ConsoleOptions, consoleRoutes, type Desk } from "../src/index.ts";

const sha256 = (text: string): string => hash("sha256", text);
const headers = { authorization: "Bearer secret" };

/** The API over stores that hold just what a test says. */
async function openDesk(stores: { store?: Partial<IncidentStore>; windows?: Partial<WindowStore> }) {
  const token: StoredToken = {
    id: "tok_1",
    name: "tester",
    scopes: ["read", "act"],
    hash: sha256("secret"),
    created_ms: 0,
    revoked_ms: null,
  };
  const options = {
    log: { partitions: 1 },
    store: {
      tokens: async () => [token],
      deliveriesOf: async () => [],
      activation: async () => null,
      incidentsOfAlerts: async () => new Map(),
      ...stores.store,
    },
    windows: stores.windows ?? {},
    clock: { now: () => 0, monotonic: () => 0, sleep: async () => undefined },
    ids: { token: () => "id" },
    hash: sha256,
    rules: { initial: { digest: "d", whyNot: () => [], match: () => ({ rule: { id: "catch-all" }, groupKey: [] }) } },
    metrics: new Metrics(),
    logger: createLogger({ level: "error" }),
    version: "test",
    tenant: "default",
    onRecorded: () => () => undefined,
  } as unknown as ConsoleOptions;
  const app = fastify();
  const desk: Desk = await consoleRoutes(app, options);
  const ask = async (url: string, body?: unknown) => {
    const method = body === undefined ? "GET" : "POST";
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
    const reply = await app.inject({ method, url, headers, ...payload });
    return { status: reply.statusCode, body: reply.json<Record<string, unknown>>() };
  };
  return { desk, ask };
}

function incident(id: string, number: number): IncidentRow {
  const snapshot = {
    incident_id: id,
    number,
    opened_ms: 0,
    last_event_ms: 0,
    acknowledged_ms: null,
    resolved_ms: null,
  };
  return { snapshot, destinations: [], timeline_seq: 0, action_ids: [] } as unknown as IncidentRow;
}

/** Pages of two, whatever is asked for. */
function paged(rows: readonly IncidentRow[]): Pick<IncidentStore, "incidents"> {
  return {
    incidents: async ({ cursor }) => {
      const from = Number(cursor ?? "0");
      const more = from + 2 < rows.length;
      return { items: rows.slice(from, from + 2), next_cursor: more ? String(from + 2) : null };
    },
  };
}

await t.test("an incident is found by its number behind any number of others that hold the same digits", async (t) => {
  const others = Array.from({ length: 9 }, (_, at) => incident(`inc_${at}`, 10 + at));
  const { ask } = await openDesk({ store: paged([...others, incident("inc_wanted", 1)]) });
  t.match(await ask("/v1/incidents/1"), { status: 200, body: { id: "inc_wanted", number: 1 } });
  t.match(await ask("/v1/incidents/2"), { status: 404, body: { code: "not_found" } });
});

await t.test("a number that several scopes have given is told, not guessed at", async (t) => {
  const rows = [incident("inc_a", 1), incident("inc_b", 2), incident("inc_c", 1)];
  const { ask } = await openDesk({ store: paged(rows) });
  t.match(await ask("/v1/incidents/1"), { status: 409, body: { code: "conflict", detail: /inc_a, inc_c/ } });
  t.match(await ask("/v1/incidents/1/ack", {}), { status: 409 });
});

await t.test("alerts are filtered by every value of a filter", async (t) => {
  const states = [
    ["a:1", { status: "firing", severity: "critical", integration: "x" }],
    ["a:2", { status: "firing", severity: "error", integration: "y" }],
    ["a:3", { status: "resolved", severity: "info", integration: "x" }],
  ] as const;
  const rest = { episode: { id: "e", started_ms: 0 }, first: 0, last: 0, count: 1, flags: {} };
  const windows: Partial<WindowStore> = {
    scan: async (_at, { after }) =>
      after === null
        ? states.map(([key, state]) => ({
            key,
            value: JSON.stringify({ ...rest, ...state }),
            deadline_ms: null,
            changed_at: 0,
          }))
        : [],
    peek: async (_at, keys) =>
      keys.map((key) => ({
        key,
        value: JSON.stringify({ facts: { fingerprint: key.slice(2) }, severitySource: null }),
        deadline_ms: null,
        changed_at: 0,
      })),
  };
  const { ask } = await openDesk({ windows });
  const found = async (query: string) => {
    const { body } = await ask(`/v1/alerts?${query}`);
    return (body["items"] as { fingerprint: string }[]).map(({ fingerprint }) => fingerprint);
  };
  t.same(await found("status=resolved,firing"), ["1", "2", "3"]);
  t.same(await found("severity=info&severity=error"), ["2", "3"]);
  t.same(await found("integration=y,z"), ["2"]);
  t.same(await found("status=firing&integration=x"), ["1"]);
});

await t.test(
  "an event that is not complete is refused with what is missing, and a complete one is explained",
  async (t) => {
    const { ask } = await openDesk({});
    const event = {
      spec: "winnow.alert/1",
      tenant: "default",
      scope: "default",
      source: "nagios",
      integration: "nagios",
      fingerprint: "f",
      severity: "critical",
      title: "Disk",
      dedup_key: "disk",
      identity: [],
      labels: {},
      annotations: {},
      links: [],
    };
    t.match(await ask("/v1/explain", event), { status: 200, body: { reason: { rule_id: "catch-all" } } });
    for (const wrong of [{ spec: event.spec }, { ...event, labels: null }, { ...event, labels: { team: 5 } }])
      t.match(await ask("/v1/explain", wrong), { status: 400, body: { detail: /not complete: / } });
  },
);

await t.test("a token that is revoked while its list is being read is not known again from that list", async (t) => {
  const tokens: StoredToken[] = [
    { id: "tok_1", name: "tester", scopes: ["read"], hash: sha256("secret"), created_ms: 0, revoked_ms: null },
  ];
  const reading = Promise.withResolvers<void>();
  const { desk } = await openDesk({
    store: {
      tokens: async () => {
        const read = tokens.map((token) => ({ ...token }));
        await reading.promise;
        return read;
      },
      revokeToken: async (_id, at) => {
        for (const token of tokens) Object.assign(token, { revoked_ms: at });
        return true;
      },
    },
  });
  const during = desk.tokens.authenticate(headers.authorization);
  await desk.tokens.revoke("tok_1");
  reading.resolve();
  await during;
  t.equal(await desk.tokens.authenticate(headers.authorization), null);
});

await t.test("a cursor that is not ours yields an empty last page", async (t) => {
  const { ask } = await openDesk({});
  for (const made of ["[1.5,null]", "[-1,null]", '["0",null]', "[0,5]", "[]", "null", "{", "[99,null]"]) {
    const reply = await ask(`/v1/alerts?cursor=${Buffer.from(made).toString("base64url")}`);
    t.same(reply, { status: 200, body: { items: [], next_cursor: null } }, made);
  }
});
