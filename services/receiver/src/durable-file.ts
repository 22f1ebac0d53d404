import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

const draftOf = (path: string): string => `${path}.new`;

/** Puts a small file in place as a whole, or leaves the old one: durable once it resolves. One writer at a time. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(draftOf(path), text, { mode: 0o600, flush: true });
  await rename(draftOf(path), path);
  const directory = await open(dirname(path));
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The same while starting, when there is nothing else to do. */
export function replaceFileNow(path: string, text: string): void {
  writeFileSync(draftOf(path), text, { mode: 0o600, flush: true });
  renameSync(draftOf(path), path);
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
