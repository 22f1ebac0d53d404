import { assert, WinnowError } from "@winnow/platform";
import { type Postgres, quoted, type Statements } from "./postgres.ts";

/** Where Winnow's tables are, and where the views for reports are. */
export interface Schemas {
  readonly schema: string;
  readonly reportingSchema: string;
}

/**
 * One step of the schema. A list of them is append-only: a released step never changes.
 * `compatible` = programs that know only the steps before go on working while it is made and after it;
 * `breaking` = they do not: they are stopped first.
 */
export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number;
  readonly name: string;
  readonly kind: "compatible" | "breaking";
  /** Runs with Winnow's schema as the search path. */
  readonly sql: (schemas: Schemas) => string;
}

export interface MigrationReport {
  readonly from: number;
  readonly to: number;
}

/** Starters wait for the one that migrates, and that one for tables in use; the caller's time for a statement is longer. */
const WAIT_MS = 300_000;

const HISTORY = `
  CREATE TABLE IF NOT EXISTS schema_migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('compatible', 'breaking')),
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;

/**
 * Brings the schema to the newest step, all missing steps in one transaction. Several programs may call it at once: one
 * does it, the others wait. A schema that is up to date costs one read and needs no right to change anything.
 * Rejects with `data_dir_newer` when it has steps that this program does not know, and with `store_unavailable`.
 */
export async function migrate(
  postgres: Postgres,
  schemas: Schemas,
  migrations: readonly Migration[],
): Promise<MigrationReport> {
  migrations.forEach((step, index) => assert(step.version === index + 1, "migrations are numbered without a gap"));
  const stored = await postgres.transaction((statements) => versionOf(statements, schemas));
  if (stored >= migrations.length) return upToDate(stored, migrations);
  return postgres.transaction(async (statements) => {
    await statements.rows(`SET LOCAL lock_timeout = ${WAIT_MS}`);
    await statements.rows("SELECT pg_advisory_xact_lock(hashtextextended('winnow migrates ' || $1, 0))", [
      schemas.schema,
    ]);
    const from = await versionOf(statements, schemas);
    if (from >= migrations.length) return upToDate(from, migrations);
    if (from === 0) await createSchemas(statements, schemas);
    for (const step of migrations.slice(from)) {
      await statements.rows(step.sql(schemas));
      await statements.change("INSERT INTO schema_migration (version, name, kind) VALUES ($1, $2, $3)", [
        step.version,
        step.name,
        step.kind,
      ]);
    }
    return { from, to: migrations.length };
  });
}

function upToDate(stored: number, migrations: readonly Migration[]): MigrationReport {
  if (stored === migrations.length) return { from: stored, to: stored };
  throw new WinnowError("data_dir_newer", "The database was written by a newer version of Winnow", {
    fields: { stored_version: stored, known_version: migrations.length },
  });
}

/** 0 where there is no schema yet. */
async function versionOf(statements: Statements, { schema }: Schemas): Promise<number> {
  // A query of the catalog sees what was committed a moment ago; to_regclass may answer from before the wait for the lock.
  const [found] = await statements.rows(
    `SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = $1 AND relname = 'schema_migration'`,
    [schema],
  );
  if (found === undefined) return 0;
  const [row] = await statements.rows<{ version: number }>(
    "SELECT coalesce(max(version), 0) AS version FROM schema_migration",
  );
  assert(row !== undefined, "an aggregate yields a row");
  return row.version;
}

async function createSchemas(statements: Statements, { schema, reportingSchema }: Schemas): Promise<void> {
  for (const name of [schema, reportingSchema]) await statements.rows(`CREATE SCHEMA IF NOT EXISTS ${quoted(name)}`);
  await statements.rows(HISTORY);
}

/**
 * Stores the partition count with the first open and demands it ever after. Rejects with `partitions_changed`.
 * Needs a table `setting (name, value)`.
 */
export async function holdPartitions(postgres: Postgres, partitions: number): Promise<void> {
  const asked = String(partitions);
  const read = () => postgres.read<{ value: string }>("SELECT value FROM setting WHERE name = 'partitions'");
  let [stored] = await read();
  if (stored === undefined) {
    await postgres.change("INSERT INTO setting (name, value) VALUES ('partitions', $1) ON CONFLICT (name) DO NOTHING", [
      asked,
    ]);
    [stored] = await read();
  }
  if (stored?.value === asked) return;
  throw new WinnowError("partitions_changed", "The database was made for another number of partitions", {
    fields: { stored: stored?.value ?? null, asked: partitions },
  });
}
