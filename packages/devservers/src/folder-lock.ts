import { mkdir, rename, rm, stat, utimes } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isErrno } from "./errno.ts";

const HEARTBEAT_MS = 2_000;
const POLL_MS = 200;
/** A lock without a heartbeat for so long belongs to a process that is gone. Not its pid: containers share caches. */
const STALE_MS = 30_000;

/** Runs `work` while no other process holds the lock `folder`, which exists for just that long. */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  while (!(await tryMakeFolder(folder))) {
    await setAsideIfStale(folder);
    await delay(POLL_MS);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(folder, now, now).catch(() => {
      // Taken by someone who thought us dead: what we make is renamed into place at the end, so twice is harmless.
    });
  }, HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryMakeFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) {
      return false;
    }
    throw error;
  }
}

async function setAsideIfStale(folder: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(folder);
    if (Date.now() - mtimeMs < STALE_MS) {
      return;
    }
    const aside = `${folder}.${process.pid}.${mtimeMs}`;
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, "ENOENT")) {
      throw error;
    }
  }
}
