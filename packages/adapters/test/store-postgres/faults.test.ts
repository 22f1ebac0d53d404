import { openPostgresIncidentStore, type PostgresStore } from "@winnow/adapters/store-postgres";
import { incidentSamples } from "@winnow/testkit";
import t, { type Test } from "tap";
import { CutProxy } from "./cut-proxy.ts";
import { dropSchemas, FreshNames, ListeningLog, outsider, realPostgres, silentLog, untilBlocked } from "./support.ts";

const { batch, incidentRow, member, entry, metaAt, wish } = incidentSamples;

const unavailable = { name: "WinnowError", code: "store_unavailable", retry: "retryable" };
const unknown = { name: "WinnowError", code: "store_unknown", retry: "unknown" };

/** As it goes over the wire: a simple query ends with a zero. */
const COMMIT = "COMMIT\u0000";

const url = await realPostgres(t);

if (url !== null) {
  const admin = await outsider(t, url);
  const watcher = await outsider(t, url);
  const fresh = new FreshNames();

  /** A store behind a proxy, with partition 0 claimed by `one`. */
  const behindProxy = async (t: Test, more: { statementMs?: number } = {}) => {
    const names = fresh.next();
    const log = new ListeningLog();
    const { proxy, url: through } = await CutProxy.open(url);
    const store = await openPostgresIncidentStore({ url: through, ...names, partitions: 4, poolMax: 2, log, ...more });
    t.teardown(async () => {
      await store.close();
      await proxy.close();
      await dropSchemas(admin, names);
    });
    await store.claim(0, "one");
    return { names, log, proxy, store };
  };
  const commitFirst = (store: PostgresStore) => {
    const part = batch({
      incidents: [incidentRow("i")],
      members: [{ incident_id: "i", member: member("f") }],
      timeline: [{ incident_id: "i", row: { ...entry("one"), seq: 1 } }],
      wishes: [wish("i")],
    });
    return store.commit(0, "one", 0, { meta: metaAt(1), batch: part });
  };

  /** Ends the one server process that waits for the administrator's lock. */
  const endTheBlocked = async () => {
    const pid = await untilBlocked({ holder: admin, watcher }, 0);
    await watcher.query("SELECT pg_terminate_backend($1)", [pid]);
  };

  for (const [cut, isStored] of [
    ["before", false],
    ["after", true],
    ["silence", true],
  ] as const) {
    await t.test(`a COMMIT whose end nobody saw (${cut}) is unknown, and a claim tells the truth`, async (t) => {
      const { proxy, store } = await behindProxy(t, { statementMs: 500 });
      const over = proxy.arm(COMMIT, cut);
      await t.rejects(commitFirst(store), unknown);
      await over;
      t.strictSame(await store.claim(0, "two"), { meta: isStored ? metaAt(1) : null, deadlines: [] });
      t.equal((await store.deliveriesOf(["i"])).length, isStored ? 1 : 0, "the rows go with the position");
      t.equal((await store.incident("i")) !== null, isStored);
    });
  }

  for (const cut of ["before", "after", "silence"] as const) {
    await t.test(
      `a statement before the COMMIT that gets no answer (${cut}) leaves nothing, for certain`,
      async (t) => {
        const { proxy, store } = await behindProxy(t, { statementMs: 500 });
        const over = proxy.arm("INSERT INTO member", cut);
        await t.rejects(commitFirst(store), unavailable);
        await over;
        t.strictSame(await store.claim(0, "one"), { meta: null, deadlines: [] });
        t.equal(await store.incident("i"), null);
        t.strictSame(await commitFirst(store), { committed: true }, "and it can be tried again");
      },
    );
  }

  await t.test("a BEGIN that is answered too late takes no later change into its transaction", async (t) => {
    const { names, proxy, store } = await behindProxy(t, { statementMs: 300 });
    const over = proxy.arm("BEGIN ISOLATION", "late");
    await t.rejects(commitFirst(store), unavailable);
    await over;
    proxy.release();
    await store.setFact("a", "b");
    const { rows } = await watcher.query(`SELECT value FROM ${names.schema}.fact WHERE name = 'a'`);
    t.same(rows, [{ value: "b" }], "what was acknowledged is there for everybody");
  });

  await t.test(
    "a change that commits by itself is unknown when its answer is lost, a read is only unavailable",
    async (t) => {
      const { proxy, store } = await behindProxy(t);
      const lost = proxy.arm("INSERT INTO fact", "after");
      await t.rejects(store.setFact("a", "b"), unknown);
      await lost;
      const unread = proxy.arm("SELECT value FROM fact", "after");
      await t.rejects(store.fact("a"), unavailable);
      await unread;
      t.equal(await store.fact("a"), "b");
    },
  );

  await t.test("connections that break while they are idle are replaced, and the log tells", async (t) => {
    const { proxy, store, log } = await behindProxy(t);
    const told = new Promise<void>((resolve) => {
      log.info = (_fields, message) => {
        if (message.includes("connection")) resolve();
      };
    });
    proxy.dropAll();
    await told;
    t.strictSame(await commitFirst(store), { committed: true });
  });

  await t.test("a row that somebody else holds is waited for within bounds, then nothing was done", async (t) => {
    const { names, store } = await behindProxy(t, { statementMs: 300 });
    await admin.query("BEGIN");
    await admin.query(`SELECT FROM ${names.schema}.recorder FOR UPDATE`);
    await t.rejects(commitFirst(store), unavailable);
    await admin.query("ROLLBACK");
    t.strictSame(await commitFirst(store), { committed: true });
  });

  await t.test("a transaction that an administrator ends before its COMMIT left nothing", async (t) => {
    const { names, store } = await behindProxy(t);
    await admin.query("BEGIN");
    await admin.query(`SELECT FROM ${names.schema}.recorder FOR UPDATE`);
    const committing = commitFirst(store);
    const settled = t.rejects(committing, { ...unavailable, fields: { sqlstate: "57P01" } });
    await endTheBlocked();
    await settled;
    await admin.query("ROLLBACK");
    t.strictSame(await store.claim(0, "one"), { meta: null, deadlines: [] });
  });

  await t.test("a change that commits by itself is unknown when an administrator ends it", async (t) => {
    const { names, store } = await behindProxy(t);
    await store.setFact("a", "b");
    await admin.query("BEGIN");
    await admin.query(`SELECT FROM ${names.schema}.fact FOR UPDATE`);
    const settled = t.rejects(store.setFact("a", "c"), { ...unknown, fields: { sqlstate: "57P01" } });
    await endTheBlocked();
    await settled;
    await admin.query("ROLLBACK");
    t.equal(await store.fact("a"), "b");
  });

  await t.test("a server that is not there is unavailable", async (t) => {
    const { proxy, url: through } = await CutProxy.open(url);
    await proxy.close();
    const opening = openPostgresIncidentStore({ url: through, partitions: 4, log: silentLog });
    await t.rejects(opening, unavailable);
    const elsewhere = new URL(url);
    elsewhere.pathname = "no_such_database";
    await t.rejects(openPostgresIncidentStore({ url: elsewhere.href, partitions: 4, log: silentLog }), {
      ...unavailable,
      fields: { sqlstate: "3D000" },
    });
  });

  await t.test("closing lets the calls before it end, those that wait for a connection too", async (t) => {
    const { store } = await behindProxy(t);
    const calls = Array.from({ length: 20 }, (_, n) => store.setFact(`f${n}`, "x"));
    const closed = store.close();
    await t.rejects(store.fact("f1"), unavailable);
    await Promise.all(calls);
    await closed;
    await store.close();
  });

  await t.test("what Postgres cannot hold is stored all the same, or is the caller's mistake", async (t) => {
    const { store } = await behindProxy(t);
    const odd = incidentRow("i", { title: "nul \u0000 and half \ud83d a face", service: "\u0000" });
    const lines = [{ incident_id: "i", row: { ...entry("nul \u0000"), actor: "\u0000", seq: 1 } }];
    await store.commit(0, "one", 0, { meta: metaAt(1), batch: batch({ incidents: [odd], timeline: lines }) });
    t.strictSame(await store.incident("i"), { ...odd, timeline_seq: 1 });
    t.strictSame(await store.timeline("i", 0, 9), [{ ...entry("nul \u0000"), actor: "\u0000", seq: 1 }]);
    t.equal(await store.incident("\u0000"), null);
    t.equal((await store.incidents({ q: "\u0000 face", limit: 5 })).items.length, 1, "found as it is stored");
    const broken = batch({ incidents: [incidentRow("j", { opened_ms: 1.5 })] });
    const commit = store.commit(0, "one", 1, { meta: metaAt(2), batch: broken });
    await t.rejects(commit, { name: "Error", message: /Postgres: / }, "no operational error: it will never be better");
    t.ok(await store.verify(0, "one", 1));
  });
}
