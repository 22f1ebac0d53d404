import * as fs from "node:fs";
import { promisify } from "node:util";

/** create: must not exist yet, for reading and writing; write: must exist, for reading and writing; read: reading. */
export type OpenMode = "create" | "write" | "read";

/**
 * All that the segment log asks of a file system. Tests pass another one that counts, fails, or forgets what was not
 * synced. Rejections are Node's system errors: their `code` (ENOSPC, EIO …) is what counts.
 */
export interface SegmentFiles {
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory; empty when there is none. */
  list(path: string): Promise<readonly string[]>;
  /** Makes created and unlinked names durable. */
  syncDirectory(path: string): Promise<void>;
  /** Resolves with a handle for the calls below. */
  open(path: string, mode: OpenMode): Promise<number>;
  size(file: number): Promise<number>;
  /** Fills `into` from `position`; resolves with the bytes read, fewer only at the end of the file. */
  read(file: number, into: Buffer, position: number): Promise<number>;
  /** Writes all of `bytes`. After a rejection any part of it may have been written. */
  write(file: number, bytes: Buffer, position: number): Promise<void>;
  truncate(file: number, bytes: number): Promise<void>;
  /** fdatasync: resolves only when the file's bytes and size are durable. */
  sync(file: number): Promise<void>;
  close(file: number): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Bytes that this process may still write on the file system that holds `path`. */
  freeBytes(path: string): Promise<number>;
}

const openFile = promisify(fs.open);
const closeFile = promisify(fs.close);
const syncData = promisify(fs.fdatasync);
const syncAll = promisify(fs.fsync);
const flags: Readonly<Record<OpenMode, string>> = { create: "wx+", write: "r+", read: "r" };

/** The real file system, through the callback API: it costs about half of what FileHandle does per call. */
export const nodeFiles: SegmentFiles = {
  async makeDirectory(path) {
    await fs.promises.mkdir(path, { recursive: true });
  },
  async list(path) {
    try {
      return await fs.promises.readdir(path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  },
  async syncDirectory(path) {
    const directory = await openFile(path, "r");
    try {
      await syncAll(directory);
    } finally {
      await closeFile(directory);
    }
  },
  open: (path, mode) => openFile(path, flags[mode], 0o640),
  async size(file) {
    return (await promisify(fs.fstat)(file)).size;
  },
  read: readFully,
  write: writeFully,
  truncate: promisify(fs.ftruncate),
  sync: syncData,
  close: closeFile,
  unlink: (path) => fs.promises.unlink(path),
  async freeBytes(path) {
    const { bavail, bsize } = await fs.promises.statfs(path);
    return bavail * bsize;
  },
};

/** `code` of a Node system error, "" for anything else. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return "";
}

async function readFully(file: number, into: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const bytes = await readOnce(file, into, { at: filled, position: position + filled });
    if (bytes === 0) break;
    filled += bytes;
  }
  return filled;
}

function readOnce(file: number, into: Buffer, from: { at: number; position: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(file, into, from.at, into.length - from.at, from.position, (error, bytes) => {
      if (error) reject(error);
      else resolve(bytes);
    });
  });
}

async function writeFully(file: number, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await writeOnce(file, bytes, { at: written, position: position + written });
}

function writeOnce(file: number, bytes: Buffer, from: { at: number; position: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(file, bytes, from.at, bytes.length - from.at, from.position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
