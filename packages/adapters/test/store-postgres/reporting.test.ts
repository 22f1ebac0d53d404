import { migratePostgres } from "@winnow/adapters/store-postgres";
import { reason } from "@winnow/contracts";
import { incidentSamples } from "@winnow/testkit";
import t from "tap";
import { dropSchemas, FreshNames, ListeningLog, outsider, realPostgres, storeOf } from "./support.ts";

const { batch, entry, incidentRow, keyOf, metaAt, wish } = incidentSamples;

const url = await realPostgres(t);

if (url !== null) {
  const admin = await outsider(t, url);
  const fresh = new FreshNames();

  // Asked before the first test: between tests the file may count as over.
  const { rows: me } = await admin.query<{ may: boolean }>(
    "SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user",
  );
  const skip = me[0]?.may === true ? false : "this user may not create roles";

  await t.test(
    "the reports are flat, in UTC whatever the session's zone, and sum up days and categories",
    async (t) => {
      const names = fresh.next();
      t.teardown(() => dropSchemas(admin, names));
      const store = await storeOf(t, { url, names });
      const midnight = Date.UTC(2026, 2, 1);
      const incidents = [
        incidentRow("a", { opened_ms: midnight - 1, category: "software", member_count: 3 }),
        incidentRow("b", {
          opened_ms: midnight,
          category: "software",
          acknowledged_ms: midnight + 30_000,
          resolved_ms: midnight + 90_000,
          state: "resolved",
        }),
        incidentRow("c", {
          opened_ms: midnight + 5,
          category: "software",
          acknowledged_ms: midnight + 10_005,
          priority: "P2",
          self_healed: true,
        }),
        incidentRow("d", { opened_ms: midnight + 86_399_999, title: "odd \u0000", service: null }),
      ];
      const line = {
        ...entry("hello"),
        at_ms: midnight + 250,
        reason: reason("rule_joined", {}, { id: "r1", digest: "d" }),
      };
      await store.claim(0, "one");
      await store.commit(0, "one", 0, {
        meta: metaAt(1),
        batch: batch({
          incidents,
          timeline: [{ incident_id: "b", row: { ...line, seq: 1 } }],
          wishes: [wish("b", { at_ms: midnight + 125 })],
        }),
      });
      const [row] = await store.lease("snow", { token: "r", leaseMs: 1_000, killMs: 0, limit: 1 });
      if (row === undefined) throw new Error("nothing was leased");
      const error = { code: "refused", message: "bad \u0000 field" };
      await store.settle(keyOf(row), "r", { delivery_state: "due", due_ms: midnight + 500, last_error: error });

      const view = async (sql: string): Promise<object[]> =>
        (await admin.query<object>(sql.replaceAll("reporting.", `${names.reportingSchema}.`))).rows;
      for (const zone of ["UTC", "Pacific/Auckland", "America/New_York"]) {
        await admin.query(`SET timezone = '${zone}'`);
        t.strictSame(
          await view(`SELECT day_utc::text AS day, category, opened, self_healed, acknowledged, resolved, opened_p1,
          mean_seconds_to_acknowledge AS ack, mean_seconds_to_resolve AS resolve, alerts
          FROM reporting.kpi_daily ORDER BY 1, 2`),
          [
            kpi("2026-02-28", "software", { opened: 1, opened_p1: 1, alerts: 3 }),
            kpi("2026-03-01", "none", { opened: 1, opened_p1: 1, alerts: 1 }),
            kpi("2026-03-01", "software", {
              opened: 2,
              opened_p1: 1,
              alerts: 2,
              self_healed: 1,
              acknowledged: 2,
              resolved: 1,
              ack: 20,
              resolve: 90,
            }),
          ],
          zone,
        );
        t.strictSame(
          await view(`SELECT incident_id, opened_at_utc::text AS opened, resolved_at_utc::text AS resolved,
          seconds_to_resolve::float8 AS took FROM reporting.incidents ORDER BY 1 LIMIT 2`),
          [
            { incident_id: "a", opened: "2026-02-28 23:59:59.999", resolved: null, took: null },
            { incident_id: "b", opened: "2026-03-01 00:00:00", resolved: "2026-03-01 00:01:30", took: 90 },
          ],
          zone,
        );
      }
      await admin.query("SET timezone = 'UTC'");
      t.strictSame(
        await view(`SELECT incident_id, seq::int, at_utc::text AS at, kind, actor, text, reason_code, rule_id
        FROM reporting.timeline`),
        [
          {
            incident_id: "b",
            seq: 1,
            at: "2026-03-01 00:00:00.25",
            kind: "noted",
            actor: "ada",
            text: "hello",
            reason_code: "rule_joined",
            rule_id: "r1",
          },
        ],
      );
      t.strictSame(
        await view(`SELECT incident_id, destination, generation::int, delivery_state, due_at_utc::text AS due,
        error_code, error_message FROM reporting.deliveries`),
        [
          {
            incident_id: "b",
            destination: "snow",
            generation: 1,
            delivery_state: "due",
            due: "2026-03-01 00:00:00.5",
            error_code: "refused",
            error_message: "bad \uFFFD field",
          },
        ],
      );
    },
  );

  await t.test(
    "the reading role reads the views, and neither the tables nor anything to change",
    { skip },
    async (t) => {
      const names = fresh.next();
      const { schema, reportingSchema } = names;
      t.teardown(() => dropSchemas(admin, names));
      const log = new ListeningLog();
      await migratePostgres({ url, ...names, log });
      t.notOk(
        log.said.some(({ fields }) => "run" in fields),
        "nobody has to do anything",
      );
      const reader = await outsider(t, url);
      await reader.query("SET ROLE winnow_reader");
      for (const view of ["incidents", "timeline", "deliveries", "kpi_daily"]) {
        t.strictSame((await reader.query(`SELECT * FROM ${reportingSchema}.${view}`)).rows, [], view);
      }
      const denied = { code: "42501" };
      await t.rejects(reader.query(`SELECT * FROM ${schema}.incident`), denied);
      await t.rejects(reader.query(`SELECT * FROM ${schema}.token`), denied);
      await t.rejects(reader.query(`DELETE FROM ${reportingSchema}.incidents`), denied);
      await t.rejects(reader.query(`UPDATE ${reportingSchema}.deliveries SET attempts = 0`), denied);
      await t.rejects(reader.query(`CREATE TABLE ${reportingSchema}.x (a integer)`), denied);
      const { rows } = await admin.query<{ login: boolean }>(
        "SELECT rolcanlogin OR rolsuper AS login FROM pg_roles WHERE rolname = 'winnow_reader'",
      );
      t.strictSame(rows, [{ login: false }]);
    },
  );

  await t.test("who may not create the role is told what an administrator runs", { skip }, async (t) => {
    const names = fresh.next();
    const user = `${names.schema}_m`;
    const database = `${names.schema}_db`;
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD 'm'`);
    await admin.query(`CREATE DATABASE ${database} OWNER ${user} TEMPLATE template0`);
    const isThere = "SELECT FROM pg_roles WHERE rolname = 'winnow_reader'";
    t.teardown(async () => {
      await admin.query(`DROP DATABASE ${database}`);
      await admin.query(`DROP ROLE ${user}`);
    });
    const theirs = new URL(url);
    [theirs.username, theirs.password, theirs.pathname] = [user, "m", database];
    const log = new ListeningLog();
    t.strictSame(await migratePostgres({ url: theirs.href, log }), { from: 0, to: 1 });
    const told = log.said.filter(({ fields }) => "run" in fields);
    if ((await admin.query(isThere)).rowCount === 0) {
      const run = `CREATE ROLE winnow_reader NOLOGIN; GRANT USAGE ON SCHEMA "reporting" TO winnow_reader;`;
      t.match(told, [{ level: "info", fields: { run: new RegExp(`^${run}`) } }]);
    } else {
      t.strictSame(told, [], "another database has made the role, and its owner may grant his own views");
    }
  });
}

/** A row of kpi_daily: counts come as texts, means as numbers. */
function kpi(day: string, category: string, more: Readonly<Record<string, number>>): object {
  const counts = { opened: 0, self_healed: 0, acknowledged: 0, resolved: 0, opened_p1: 0, alerts: 0, ...more };
  const row: Record<string, string | number | null> = { day, category, ack: null, resolve: null };
  for (const [name, n] of Object.entries(counts)) row[name] = name === "ack" || name === "resolve" ? n : String(n);
  return row;
}
