import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteIncidentStore } from "@winnow/adapters/store-sqlite";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { type Migration, migrate } from "../../src/store-sqlite/engine/migrate.ts";
import { migrations as storeMigrations } from "../../src/store-sqlite/schema.ts";
import { migrations as windowMigrations } from "../../src/windows-sqlite/schema.ts";
import { HandClock, silentLog } from "./support.ts";

const first: Migration = {
  version: 1,
  name: "one",
  kind: "breaking",
  sql: "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)",
};
const second: Migration = {
  version: 2,
  name: "two",
  kind: "compatible",
  sql: "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET x = 2",
};
const broken: Migration = {
  version: 3,
  name: "three",
  kind: "breaking",
  sql: "UPDATE a SET x = 3; DROP TABLE nothing",
};

const valueOf = (db: DatabaseSync) => db.prepare("SELECT x FROM a").get()?.["x"];

await t.test("a new file gets all steps and no copy", async (t) => {
  const file = join(testFolder(t), "x.db");
  const db = new DatabaseSync(file);
  t.strictSame(migrate(db, file, [first, second]), { from: 0, to: 2, copy: null });
  t.strictSame(migrate(db, file, [first, second]), { from: 2, to: 2, copy: null });
  t.equal(valueOf(db), 2);
  t.match(db.prepare("SELECT version, name, kind FROM schema_migration ORDER BY version").all(), [
    { version: 1, name: "one", kind: "breaking" },
    { version: 2, name: "two", kind: "compatible" },
  ]);
  db.close();
});

await t.test("an existing file is copied as it was before it is changed", async (t) => {
  const file = join(testFolder(t), "x.db");
  const db = new DatabaseSync(file);
  migrate(db, file, [first]);
  const { copy } = migrate(db, file, [first, second]);
  t.equal(copy, `${file}.v1.bak`);
  t.equal(valueOf(db), 2);
  db.close();
  const old = new DatabaseSync(`${file}.v1.bak`, { readOnly: true });
  t.equal(valueOf(old), 1);
  t.match(old.prepare("SELECT max(version) AS version FROM schema_migration").get(), { version: 1 });
  old.close();
});

await t.test("steps that fail leave the file as it was, beside its copy", async (t) => {
  const folder = testFolder(t);
  const file = join(folder, "x.db");
  const db = new DatabaseSync(file);
  migrate(db, file, [first]);
  t.throws(() => migrate(db, file, [first, second, broken]), /nothing/);
  t.equal(valueOf(db), 1);
  t.match(db.prepare("SELECT max(version) AS version FROM schema_migration").get(), { version: 1 });
  t.notOk(readdirSync(folder).some((name) => name.endsWith(".part")));
  t.strictSame(migrate(db, file, [first, second]).to, 2, "and can be tried again");
  db.close();
});

await t.test("a file of a newer version is refused untouched", async (t) => {
  const file = join(testFolder(t), "x.db");
  const db = new DatabaseSync(file);
  migrate(db, file, [first, second]);
  t.throws(() => migrate(db, file, [first]), {
    code: "data_dir_newer",
    fields: { stored_version: 2, known_version: 1 },
  });
  t.equal(valueOf(db), 2);
  t.notOk(existsSync(`${file}.v2.bak`));
  db.close();
});

interface Closable {
  close(): Promise<void>;
}

const stores = [
  {
    name: "store-sqlite",
    migrations: storeMigrations,
    open: (file: string, partitions: number): Promise<Closable> =>
      openSqliteIncidentStore({ file, partitions, clock: new HandClock(), log: silentLog }),
  },
  {
    name: "windows-sqlite",
    migrations: windowMigrations,
    open: (file: string, partitions: number): Promise<Closable> =>
      openSqliteWindowStore({ file, partitions, log: silentLog }),
  },
];

for (const { name, migrations, open } of stores) {
  await t.test(`${name}: the schema is the one in fixtures/schema.sql`, async (t) => {
    const file = join(testFolder(t), "x.db");
    await (await open(file, 4)).close();
    const db = new DatabaseSync(file, { readOnly: true });
    const golden = await readFile(new URL(`../${name}/fixtures/schema.sql`, import.meta.url), "utf8");
    t.equal(dumpSchema(db), golden);
    t.equal(migrations.length, 1, "a changed schema is a new step, and a new dump");
    db.close();
  });

  await t.test(`${name}: another partition count and a newer file are refused with their codes`, async (t) => {
    const file = join(testFolder(t), "x.db");
    await (await open(file, 4)).close();
    await t.rejects(open(file, 8), {
      name: "WinnowError",
      code: "partitions_changed",
      fields: { stored: "4", asked: 8 },
    });
    await (await open(file, 4)).close();
    const db = new DatabaseSync(file);
    db.exec("INSERT INTO schema_migration VALUES (99, 'from the future', 'compatible')");
    db.close();
    await t.rejects(open(file, 4), { name: "WinnowError", code: "data_dir_newer", retry: "permanent" });
  });
}

/** All tables and indexes as SQL, in the order of their names, without indentation. */
function dumpSchema(db: DatabaseSync): string {
  const rows = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name").all();
  const statements = rows.map((row) =>
    String(row["sql"])
      .split("\n")
      .map((line) => line.trim())
      .join("\n"),
  );
  return `${statements.join(";\n\n")};\n`;
}
