import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Several processes may share a directory. */
const draftOf = (path: string): string => `${path}.${process.pid}.new`;

/**
 * Writes a small file for the owner alone, whole or not at all: after a power cut there is the file before or this one,
 * never an empty one under its name. Throws the file system's error.
 */
export function writeDurably(path: string, text: string): void {
  const draft = draftOf(path);
  const file = openSync(draft, "w", 0o600);
  try {
    fchmodSync(file, 0o600);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncDirectory(dirname(path));
}

/** The same while others are served; one writer of a file at a time. */
export async function writeDurablyAside(path: string, text: string): Promise<void> {
  const draft = draftOf(path);
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, path);
  const directory = await open(dirname(path));
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Makes the names in a directory durable. Throws the file system's error. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
