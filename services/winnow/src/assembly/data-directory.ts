import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { syncDirectory, WinnowError, writeDurably } from "@winnow/platform";
import type { Ids } from "@winnow/ports";

/** Rises when the layout changes; an older program refuses a newer directory. */
const formatVersion = 1;

export interface DataDirectory {
  readonly path: string;
  readonly log: string;
  readonly windows: string;
  readonly incidents: string;
  /** The installation's token, made at the first start. */
  readonly token: string;
  release(): void;
}

export interface DataDirectoryOptions {
  /** Nothing but the token is kept there, so several processes may use it. */
  readonly isShared?: boolean;
  /** The installation's token, where the configuration names one. */
  readonly token?: string;
}

/**
 * Opens (or makes) a data directory and locks it for this process. The lock is the operating system's, held through
 * an open SQLite file: it ends with the process, however that ends.
 * Throws WinnowError `data_dir_locked` or `data_dir_newer`.
 */
export function openDataDirectory(path: string, ids: Ids, options: DataDirectoryOptions = {}): DataDirectory {
  const born = mkdirSync(path, { recursive: true, mode: 0o700 });
  const lock = options.isShared === true ? null : lockDirectory(path);
  try {
    checkFormat(path);
    mkdirSync(join(path, "log"), { recursive: true });
    syncDirectory(path);
    if (born !== undefined) for (const folder of [dirname(path), dirname(born)]) syncDirectory(folder);
    return {
      path,
      log: join(path, "log"),
      windows: join(path, "windows.sqlite"),
      incidents: join(path, "incidents.sqlite"),
      token: options.token ?? installationToken(path, ids),
      release: () => {
        lock?.close();
      },
    };
  } catch (error) {
    lock?.close();
    throw error;
  }
}

/** A transaction that never ends holds the lock, and the file stays empty: nothing in it can be torn by a power cut. */
function lockDirectory(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, "lock.sqlite"), { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    throw new WinnowError("data_dir_locked", `another process uses the data directory ${path}`, { cause });
  }
}

function checkFormat(path: string): void {
  const file = join(path, "format.json");
  if (!existsSync(file)) {
    writeDurably(file, `${JSON.stringify({ version: formatVersion })}\n`);
    return;
  }
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: number };
  if (version > formatVersion)
    throw new WinnowError("data_dir_newer", `the data directory ${path} was written by a newer version`, {
      fields: { found: version, known: formatVersion },
    });
}

function installationToken(path: string, ids: Ids): string {
  const file = join(path, "token");
  if (existsSync(file)) {
    const known = readFileSync(file, "utf8").trim();
    if (known !== "") return known;
  }
  const made = `wnw_${ids.token()}`;
  const draft = `${file}.${ids.token()}`;
  writeDurably(draft, `${made}\n`);
  return nameOnce(draft, file) ? made : readFileSync(file, "utf8").trim();
}

/** Gives a file its name unless another process was first: then that one's counts. */
function nameOnce(draft: string, name: string): boolean {
  try {
    if (existsSync(name) && readFileSync(name, "utf8").trim() === "") unlinkSync(name);
    linkSync(draft, name);
    syncDirectory(dirname(name));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}
