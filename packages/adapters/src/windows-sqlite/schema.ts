import type { Migration } from "../store-sqlite/engine/migrate.ts";

/**
 * Narrow rows of one file for all partitions. `sp` is the stage partition. The short columns stand before `value`, so
 * that a claim, which reads all deadlines of a partition, never follows a long value to its overflow pages. No index
 * over deadlines: it would make each changed state 20 % dearer to save 40 % of a claim (docs/adr/0005).
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "owners-and-states",
    kind: "breaking",
    sql: `
      CREATE TABLE setting (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE owner (
        sp INTEGER PRIMARY KEY,
        token TEXT NOT NULL,
        position INTEGER NOT NULL,
        meta TEXT
      ) STRICT;
      CREATE TABLE state (
        id INTEGER PRIMARY KEY,
        sp INTEGER NOT NULL,
        key TEXT NOT NULL,
        deadline_ms INTEGER,
        changed_at INTEGER NOT NULL,
        value TEXT NOT NULL,
        UNIQUE (sp, key)
      ) STRICT;
    `,
  },
];
