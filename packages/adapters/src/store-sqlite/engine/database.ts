import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { assert } from "./failure.ts";

/** A change that another connection holds up waits this long before it is refused as busy. */
const BUSY_MS = 5_000;
/** 64 MiB of 4 KiB pages: pages that change in several commits are written to the main file once. */
const CHECKPOINT_PAGES = 16_384;
const CACHE_KIB = 65_536;

/**
 * Opens `file`, made when missing, so that a commit that returned survives a power cut: write-ahead log, synced at
 * every commit. The folder must exist.
 */
export function openDatabase(file: string): DatabaseSync {
  const isNew = !existsSync(file);
  const db = new DatabaseSync(file, { timeout: BUSY_MS });
  const mode = db.prepare("PRAGMA journal_mode = WAL").get();
  assert(mode?.["journal_mode"] === "wal", "a database file takes a write-ahead log");
  db.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${CHECKPOINT_PAGES * 4096};
    PRAGMA temp_store = MEMORY;
  `);
  // SQLite syncs the folder for its log, not for the main file.
  if (isNew) syncPath(dirname(file));
  return db;
}

/** Makes a file's bytes, or a folder's entries, durable. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export interface Query<Row> {
  all(...parameters: SQLInputValue[]): Row[];
  get(...parameters: SQLInputValue[]): Row | undefined;
  iterate(...parameters: SQLInputValue[]): Iterable<Row>;
}

/** A prepared statement that yields rows of a known shape. */
export function query<Row>(db: DatabaseSync, sql: string): Query<Row> {
  const statement = db.prepare(sql);
  return {
    all: (...parameters) => statement.all(...parameters) as Row[],
    get: (...parameters) => statement.get(...parameters) as Row | undefined,
    iterate: (...parameters) => statement.iterate(...parameters) as Iterable<Row>,
  };
}

/** The same with rows as arrays, which cost less than objects where there are many. */
export function tupleQuery<Row extends readonly unknown[]>(db: DatabaseSync, sql: string): Query<Row> {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return {
    all: (...parameters) => statement.all(...parameters) as unknown as Row[],
    get: (...parameters) => statement.get(...parameters) as unknown as Row | undefined,
    iterate: (...parameters) => statement.iterate(...parameters) as unknown as Iterable<Row>,
  };
}

/** A prepared statement that changes rows; returns how many. */
export function command(db: DatabaseSync, sql: string): (...parameters: SQLInputValue[]) => number {
  const statement = db.prepare(sql);
  return (...parameters) => Number(statement.run(...parameters).changes);
}
