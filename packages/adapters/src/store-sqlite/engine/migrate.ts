import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { command, query, syncPath } from "./database.ts";
import { assert, StoreFailure } from "./failure.ts";

/**
 * One step of a schema. A list of them is append-only: a released step never changes.
 * `compatible` = a program that knows only the steps before could still work with the tables; `breaking` = it could not.
 */
export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number;
  readonly name: string;
  readonly kind: "compatible" | "breaking";
  readonly sql: string;
}

export interface MigrationReport {
  readonly from: number;
  readonly to: number;
  /** The copy of the file as it was, where an existing schema was changed. */
  readonly copy: string | null;
}

const HISTORY = `
  CREATE TABLE IF NOT EXISTS schema_migration (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('compatible', 'breaking'))
  ) STRICT`;

/**
 * Brings the schema to the newest step, all steps in one transaction; an existing file is copied beside itself first.
 * Throws StoreFailure `data_dir_newer` when the file has steps that this program does not know.
 */
export function migrate(db: DatabaseSync, file: string, migrations: readonly Migration[]): MigrationReport {
  migrations.forEach((step, index) => assert(step.version === index + 1, "migrations are numbered without a gap"));
  db.exec(HISTORY);
  const from = query<{ version: number }>(db, "SELECT coalesce(max(version), 0) AS version FROM schema_migration").get()
    ?.version;
  assert(from !== undefined, "an aggregate yields a row");
  if (from > migrations.length) {
    throw new StoreFailure("data_dir_newer", "The database was written by a newer version of Winnow", {
      stored_version: from,
      known_version: migrations.length,
    });
  }
  const missing = migrations.slice(from);
  if (missing.length === 0) return { from, to: from, copy: null };
  const copy = from === 0 ? null : copyDatabase(db, `${file}.v${from}.bak`);
  apply(db, missing);
  return { from, to: migrations.length, copy };
}

function apply(db: DatabaseSync, steps: readonly Migration[]): void {
  const note = command(db, "INSERT INTO schema_migration (version, name, kind) VALUES (?, ?, ?)");
  db.exec("BEGIN IMMEDIATE");
  try {
    for (const step of steps) {
      db.exec(step.sql);
      note(step.version, step.name, step.kind);
    }
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Writes a whole, consistent, durable copy; a half-written one never bears the final name. */
function copyDatabase(db: DatabaseSync, target: string): string {
  if (existsSync(target)) return target;
  const draft = `${target}.part`;
  rmSync(draft, { force: true });
  db.prepare("VACUUM INTO ?").run(draft);
  syncPath(draft);
  renameSync(draft, target);
  syncPath(dirname(target));
  return target;
}

/**
 * Stores the partition count with the first open and demands it ever after.
 * Throws StoreFailure `partitions_changed`. Needs a table `setting (name, value)`.
 */
export function holdPartitions(db: DatabaseSync, partitions: number): void {
  command(db, "INSERT INTO setting (name, value) VALUES ('partitions', ?) ON CONFLICT DO NOTHING")(String(partitions));
  const stored = query<{ value: string }>(db, "SELECT value FROM setting WHERE name = 'partitions'").get()?.value;
  if (stored === String(partitions)) return;
  throw new StoreFailure("partitions_changed", "The database was made for another number of partitions", {
    stored: stored ?? null,
    asked: partitions,
  });
}
