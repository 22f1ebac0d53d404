import { command, openDatabase, query } from "../../src/store-sqlite/engine/database.ts";
import { serveWorker } from "../../src/store-sqlite/engine/worker-host.ts";

export interface ProbeOptions {
  readonly file: string;
  /** The database may not grow beyond so many pages: a disk that is full. */
  readonly maxPages: number;
}

/** The smallest store: numbers that can be added, and ways to go wrong. */
serveWorker<ProbeOptions>(({ file, maxPages }, now) => {
  if (file === "") throw new Error("no file");
  const db = openDatabase(file);
  db.exec("CREATE TABLE IF NOT EXISTS number (n INTEGER PRIMARY KEY, filler BLOB) STRICT");
  db.exec(`PRAGMA max_page_count = ${maxPages}`);
  const insert = command(db, "INSERT INTO number (n, filler) VALUES (?, zeroblob(?))");
  const all = query<{ n: number }>(db, "SELECT n FROM number ORDER BY n");
  const operations = {
    add: (n: number, bytes: number) => insert(n, bytes),
    addTwice: (n: number) => insert(n, 0) + insert(n, 0),
    list: () => all.all().map((row) => row.n),
    time: () => now(),
    crash: () => process.exit(3),
  };
  return { db, operations, isRead: (name) => name === "list" || name === "time", opened: "ready" };
});
