import type { DatabaseSync } from "node:sqlite";
import type { CommitResult, Refusal } from "@winnow/ports";
import { command, openDatabase, query, tupleQuery } from "../store-sqlite/engine/database.ts";
import { assert } from "../store-sqlite/engine/failure.ts";
import { holdPartitions, migrate } from "../store-sqlite/engine/migrate.ts";
import type { Backend } from "../store-sqlite/engine/worker-host.ts";
import { orNull, type PackedDeadlines, type PackedRows } from "./packing.ts";
import { migrations } from "./schema.ts";

export interface WindowDatabaseOptions {
  readonly file: string;
  readonly partitions: number;
}

/** A commit as it comes over the wire; `meta` is JSON text. */
export interface PackedCommit {
  readonly sp: number;
  readonly token: string;
  readonly previous: number;
  readonly position: number;
  readonly meta: string;
  readonly changes: PackedRows;
}

export interface PackedClaim {
  readonly meta: string | null;
  readonly deadlines: PackedDeadlines;
}

export interface ScanRange {
  readonly prefix: string;
  readonly after: string | null;
  readonly limit: number;
}

/** The calls of the wire. `sp` is the number of a stage partition. */
export interface WindowOperations {
  claim(sp: number, token: string): PackedClaim;
  load(sp: number, token: string, position: number, keys: readonly string[]): PackedRows | Refusal;
  commit(commit: PackedCommit): CommitResult;
  verify(sp: number, token: string, position: number): boolean;
  /** Metas as JSON text, in the order asked. */
  metas(sps: readonly number[]): (string | null)[];
  scan(sp: number, range: ScanRange): PackedRows;
  peek(sp: number, keys: readonly string[]): PackedRows;
}

const READS: ReadonlySet<string> = new Set(["load", "verify", "metas", "scan", "peek"]);

export function openWindowDatabase(options: WindowDatabaseOptions): Backend {
  const db = openDatabase(options.file);
  try {
    const report = migrate(db, options.file, migrations);
    holdPartitions(db, options.partitions);
    return { db, operations: { ...windowOperations(db) }, isRead: (name) => READS.has(name), opened: report };
  } catch (error) {
    db.close();
    throw error;
  }
}

type RowTuple = readonly [key: string, value: string, deadline: number | null, changedAt: number];
const ROW = "key, value, deadline_ms, changed_at";

/** Statements are prepared once. Each operation runs inside a transaction of the caller's. */
function windowOperations(db: DatabaseSync): WindowOperations {
  const fence = fenceOf(db);
  const row = tupleQuery<RowTuple>(db, `SELECT ${ROW} FROM state WHERE sp = ? AND key = ?`);
  const meta = query<{ meta: string | null }>(db, "SELECT meta FROM owner WHERE sp = ?");
  const find = (sp: number, keys: readonly string[]) =>
    pack(keys.map((key) => row.get(sp, key)).filter((found) => found !== undefined));
  return {
    claim: claimOf(db),
    load: (sp, token, position, keys) => fence(sp, token, position) ?? find(sp, keys),
    commit: commitOf(db, fence),
    verify: (sp, token, position) => fence(sp, token, position) === null,
    metas: (sps) => sps.map((sp) => meta.get(sp)?.meta ?? null),
    scan: scanOf(db),
    peek: find,
  };
}

type Fence = (sp: number, token: string, position: number) => Refusal | null;

/** null when token and position both equal the stored ones. */
function fenceOf(db: DatabaseSync): Fence {
  const owner = query<{ token: string; position: number }>(db, "SELECT token, position FROM owner WHERE sp = ?");
  return (sp, token, position) => {
    const stored = owner.get(sp);
    if (stored?.token !== token) return { refused: "fenced" };
    return stored.position === position ? null : { refused: "position" };
  };
}

function claimOf(db: DatabaseSync): WindowOperations["claim"] {
  const take = query<{ meta: string | null }>(
    db,
    `INSERT INTO owner (sp, token, position, meta) VALUES (?, ?, 0, NULL)
     ON CONFLICT (sp) DO UPDATE SET token = excluded.token RETURNING meta`,
  );
  const due = tupleQuery<readonly [string, number]>(
    db,
    "SELECT key, deadline_ms FROM state WHERE sp = ? AND deadline_ms IS NOT NULL",
  );
  return (sp, token) => {
    const taken = take.get(sp, token);
    assert(taken !== undefined, "an upsert returns its row");
    const rows = due.all(sp);
    return {
      meta: taken.meta,
      deadlines: { keys: rows.map(([key]) => key), deadlines: Float64Array.from(rows, ([, deadline]) => deadline) },
    };
  };
}

function commitOf(db: DatabaseSync, fence: Fence): WindowOperations["commit"] {
  const put = command(
    db,
    `INSERT INTO state (sp, key, value, deadline_ms, changed_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (sp, key) DO UPDATE
     SET value = excluded.value, deadline_ms = excluded.deadline_ms, changed_at = excluded.changed_at`,
  );
  const remove = command(db, "DELETE FROM state WHERE sp = ? AND key = ?");
  const advance = command(db, "UPDATE owner SET position = ?, meta = ? WHERE sp = ?");
  return ({ sp, token, previous, position, meta, changes }) => {
    const refusal = fence(sp, token, previous);
    if (refusal !== null) return refusal;
    for (const [index, key] of changes.keys.entries()) {
      const value = changes.values[index] ?? null;
      if (value === null) remove(sp, key);
      else put(sp, key, value, orNull(changes.deadlines[index]), changes.changedAt[index] ?? Number.NaN);
    }
    advance(position, meta, sp);
    return { committed: true };
  };
}

function scanOf(db: DatabaseSync): WindowOperations["scan"] {
  const from = tupleQuery<RowTuple>(db, `SELECT ${ROW} FROM state WHERE sp = ? AND key >= ? ORDER BY key`);
  const behind = tupleQuery<RowTuple>(db, `SELECT ${ROW} FROM state WHERE sp = ? AND key > ? ORDER BY key`);
  return (sp, { prefix, after, limit }) => {
    const rows: RowTuple[] = [];
    // Keys are ordered by their UTF-8 bytes, which is not how strings compare here.
    const isPast = after !== null && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0;
    const found = isPast ? behind.iterate(sp, after) : from.iterate(sp, prefix);
    for (const row of found) {
      if (rows.length >= limit || !row[0].startsWith(prefix)) break;
      rows.push(row);
    }
    return pack(rows);
  };
}

function pack(rows: readonly RowTuple[]): PackedRows {
  return {
    keys: rows.map(([key]) => key),
    values: rows.map(([, value]) => value),
    deadlines: Float64Array.from(rows, ([, , deadline]) => deadline ?? Number.NaN),
    changedAt: Float64Array.from(rows, ([, , , changedAt]) => changedAt),
  };
}
