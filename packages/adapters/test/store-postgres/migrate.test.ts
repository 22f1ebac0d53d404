import { readFile } from "node:fs/promises";
import { migratePostgres, openPostgresIncidentStore } from "@winnow/adapters/store-postgres";
import { Client } from "pg";
import t, { type Test } from "tap";
import { type Migration, migrate } from "../../src/store-postgres/engine/migrate.ts";
import { Postgres } from "../../src/store-postgres/engine/postgres.ts";
import { migrations } from "../../src/store-postgres/schema.ts";
import {
  dropSchemas,
  FreshNames,
  ListeningLog,
  type Names,
  outsider,
  realPostgres,
  silentLog,
  untilBlocked,
} from "./support.ts";

const first: Migration = {
  version: 1,
  name: "one",
  kind: "breaking",
  sql: () => "CREATE TABLE a (x integer); INSERT INTO a VALUES (1)",
};
const second: Migration = {
  version: 2,
  name: "two",
  kind: "compatible",
  sql: ({ schema }) => `ALTER TABLE "${schema}".a ADD COLUMN y integer; UPDATE a SET x = x + 1`,
};
const broken: Migration = {
  version: 3,
  name: "three",
  kind: "breaking",
  sql: () => "UPDATE a SET x = 33; DROP TABLE nothing",
};

const url = await realPostgres(t);

if (url !== null) {
  const admin = await outsider(t, url);
  const fresh = new FreshNames();
  const namesFor = (t: Test): Names => {
    const names = fresh.next();
    t.teardown(() => dropSchemas(admin, names));
    return names;
  };
  const engineOf = (t: Test, { schema }: Names): Postgres => {
    const engine = new Postgres({ url, schema, poolMax: 2, statementMs: 10_000, log: silentLog });
    t.teardown(() => engine.close());
    return engine;
  };
  const valueOf = async ({ schema }: Names) => (await admin.query<{ x: number }>(`SELECT x FROM ${schema}.a`)).rows;

  await t.test("a new database gets all steps, and one that is up to date gets none", async (t) => {
    const names = namesFor(t);
    const engine = engineOf(t, names);
    t.strictSame(await migrate(engine, names, [first]), { from: 0, to: 1 });
    t.strictSame(await migrate(engine, names, [first, second]), { from: 1, to: 2 });
    t.strictSame(await migrate(engine, names, [first, second]), { from: 2, to: 2 });
    t.strictSame(await valueOf(names), [{ x: 2 }]);
    const { rows } = await admin.query(`SELECT version, name, kind FROM ${names.schema}.schema_migration ORDER BY 1`);
    t.strictSame(rows, [
      { version: 1, name: "one", kind: "breaking" },
      { version: 2, name: "two", kind: "compatible" },
    ]);
  });

  await t.test("steps that fail leave the database as it was, and it can be tried again", async (t) => {
    const names = namesFor(t);
    const engine = engineOf(t, names);
    await migrate(engine, names, [first]);
    await t.rejects(migrate(engine, names, [first, second, broken]), /nothing/);
    t.strictSame(await valueOf(names), [{ x: 1 }]);
    t.strictSame(await migrate(engine, names, [first, second]), { from: 1, to: 2 });
  });

  await t.test("of many starters at once one migrates and the others wait for it", async (t) => {
    const names = namesFor(t);
    const engines = Array.from({ length: 6 }, () => engineOf(t, names));
    const reports = await Promise.all(engines.map((engine) => migrate(engine, names, [first, second])));
    t.strictSame(await valueOf(names), [{ x: 2 }], "each step ran once");
    t.equal(reports.filter(({ from }) => from === 0).length, 1);
    t.ok(reports.every(({ to }) => to === 2));
  });

  await t.test("a start waits for the one that migrates, however short its own statements must be", async (t) => {
    const names = namesFor(t);
    const watcher = await outsider(t, url);
    const statementMs = 500;
    await admin.query("BEGIN");
    await admin.query("SELECT pg_advisory_xact_lock(hashtextextended('winnow migrates ' || $1, 0))", [names.schema]);
    const opening = openPostgresIncidentStore({ url, ...names, partitions: 4, statementMs, log: silentLog });
    opening.catch(() => undefined);
    await untilBlocked({ holder: admin, watcher }, statementMs * 1.5);
    await admin.query("COMMIT");
    const store = await opening;
    t.equal(await store.activation(), null);
    await store.close();
  });

  await t.test("a schema of a newer version is refused untouched", async (t) => {
    const names = namesFor(t);
    const engine = engineOf(t, names);
    await migrate(engine, names, [first, second]);
    await t.rejects(migrate(engine, names, [first]), {
      name: "WinnowError",
      code: "data_dir_newer",
      fields: { stored_version: 2, known_version: 1 },
    });
    t.strictSame(await valueOf(names), [{ x: 2 }]);
  });

  await t.test("the schema is the one in fixtures/schema.txt", async (t) => {
    const names = namesFor(t);
    t.strictSame(await migratePostgres({ url, ...names, log: silentLog }), { from: 0, to: 1 });
    const golden = await readFile(new URL("./fixtures/schema.txt", import.meta.url), "utf8");
    t.equal(await dumpSchema(admin, names), golden);
    t.equal(migrations.length, 1, "a changed schema is a new step, and a new dump");
  });

  await t.test("many stores may be opened on an empty database at once", async (t) => {
    const names = namesFor(t);
    const options = { url, ...names, partitions: 4, poolMax: 2, log: silentLog };
    const stores = await Promise.all(Array.from({ length: 5 }, () => openPostgresIncidentStore(options)));
    await stores[0]?.setFact("a", "b");
    for (const store of stores) {
      t.equal(await store.fact("a"), "b");
      await store.close();
    }
  });

  await t.test("another partition count, a newer schema and a bad name are refused with their codes", async (t) => {
    const names = namesFor(t);
    const open = (partitions: number, more = {}) =>
      openPostgresIncidentStore({ url, ...names, partitions, log: silentLog, ...more });
    await (await open(4)).close();
    await t.rejects(open(8), { name: "WinnowError", code: "partitions_changed", fields: { stored: "4", asked: 8 } });
    await (await open(4)).close();
    await admin.query(`INSERT INTO ${names.schema}.schema_migration VALUES (99, 'from the future', 'compatible')`);
    await t.rejects(open(4), { name: "WinnowError", code: "data_dir_newer", retry: "permanent" });
    for (const schema of ["", "Upper", "a-b", 'x"; DROP SCHEMA y', "pg_own", "x".repeat(64)]) {
      await t.rejects(open(4, { schema }), { name: "WinnowError", code: "config_invalid" }, schema);
    }
  });

  await t.test("a schema that somebody else keeps up to date needs no right to create anything", async (t) => {
    const names = namesFor(t);
    const user = `${names.schema}_app`;
    await migratePostgres({ url, ...names, log: silentLog });
    await admin.query(`
      CREATE ROLE ${user} LOGIN PASSWORD 'app';
      GRANT USAGE ON SCHEMA ${names.schema} TO ${user};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${names.schema} TO ${user}`);
    t.teardown(() => admin.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`));
    const theirs = new URL(url);
    theirs.username = user;
    theirs.password = "app";
    const options = { ...names, partitions: 4, log: silentLog };
    const store = await openPostgresIncidentStore({ url: theirs.href, ...options });
    await store.setFact("a", "b");
    t.equal(await store.fact("a"), "b");
    await store.close();
    const elsewhere = { ...options, schema: `${names.schema}2` };
    await t.rejects(openPostgresIncidentStore({ url: theirs.href, ...elsewhere }), {
      code: "store_unavailable",
      fields: { sqlstate: "42501" },
    });
  });

  await t.test("a database that cannot hold every text is refused", async (t) => {
    const name = `t${process.pid}_latin`;
    await admin.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
    t.teardown(() => admin.query(`DROP DATABASE ${name}`));
    const there = new URL(url);
    there.pathname = name;
    const opening = openPostgresIncidentStore({ url: there.href, partitions: 4, log: silentLog });
    await t.rejects(opening, { code: "store_unsuitable", retry: "permanent", fields: { encoding: "LATIN1" } });
  });

  await t.test("what was migrated is told once", async (t) => {
    const names = namesFor(t);
    const log = new ListeningLog();
    await migratePostgres({ url, ...names, log });
    await migratePostgres({ url, ...names, log });
    t.strictSame(
      log.said.filter(({ message }) => message.includes("up to date")).map(({ fields }) => fields),
      [{ from: 0, to: 1 }],
    );
  });
}

/** Columns, constraints, indexes and functions in the order of their names; of views the columns alone. */
async function dumpSchema(admin: Client, { schema, reportingSchema }: Names): Promise<string> {
  const lines: string[] = [];
  const section = async (title: string, sql: string) => {
    const { rows } = await admin.query<{ line: string }>(sql, [[schema, reportingSchema]]);
    const said = rows.map(({ line }) => line);
    lines.push(`# ${title}`, ...(title === "columns" ? said : said.toSorted()), "");
  };
  await section(
    "columns",
    `SELECT concat_ws(' ', table_schema || '.' || table_name || '.' || column_name, data_type,
        CASE WHEN collation_name IS NOT NULL THEN 'collate ' || collation_name END,
        CASE WHEN is_nullable = 'NO' THEN 'not null' END,
        CASE WHEN is_identity = 'YES' THEN 'identity ' || lower(identity_generation) END,
        CASE WHEN column_default IS NOT NULL THEN 'default ' || column_default END) AS line
      FROM information_schema.columns WHERE table_schema = ANY ($1) ORDER BY table_schema DESC, table_name, ordinal_position`,
  );
  await section(
    "constraints",
    `SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) AS line FROM pg_constraint
      WHERE connamespace::regnamespace::text = ANY ($1) AND contype <> 'n'`,
  );
  await section("indexes", `SELECT indexdef AS line FROM pg_indexes WHERE schemaname = ANY ($1)`);
  await section(
    "functions",
    `SELECT pg_get_functiondef(oid) AS line FROM pg_proc WHERE pronamespace::regnamespace::text = ANY ($1)`,
  );
  return lines.join("\n").replaceAll(schema, "winnow").replaceAll(reportingSchema, "reporting");
}
