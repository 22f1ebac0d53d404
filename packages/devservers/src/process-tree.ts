import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { isErrno } from "./errno.ts";

/** Sends a signal; a process that is gone is no failure. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) {
      throw error;
    }
  }
}

/** A process and all that descend from it, parents first, also those that left its group. On Linux; else it alone. */
export async function processTree(pid: number): Promise<readonly number[]> {
  const childrenOf = Map.groupBy(await processes(), ({ parent }) => parent);
  const tree = [pid];
  for (const one of tree) {
    tree.push(...(childrenOf.get(one) ?? []).map((child) => child.pid));
  }
  return tree;
}

/** Ends the processes when its standard input ends, which only we hold. */
const REAPER = 'cat >/dev/null; kill -KILL "$@"';

/**
 * Freezes a process and all that descend from it; the answer lets them go on. When we end in between, whatever ends us,
 * they are killed: frozen, none of them could notice.
 */
export async function freezeTree(pid: number): Promise<() => Promise<void>> {
  const frozen = new Set<number>();
  // A process may start another before its own turn comes.
  for (let size = -1; size < frozen.size; ) {
    size = frozen.size;
    for (const one of await processTree(pid)) {
      signal(one, "SIGSTOP");
      frozen.add(one);
    }
  }
  const pids = [...frozen];
  const reaper = spawn("/bin/sh", ["-c", REAPER, "sh", ...pids.map(String)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  return async () => {
    const gone = once(reaper, "close");
    reaper.kill("SIGKILL");
    await gone;
    for (const one of pids) {
      signal(one, "SIGCONT");
    }
  };
}

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
}

async function processes(): Promise<readonly ProcessRow[]> {
  try {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    return (await Promise.all(pids.map((pid) => processRow(pid)))).filter((row) => row !== undefined);
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return [];
    }
    throw error;
  }
}

async function processRow(pid: string): Promise<ProcessRow | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name stands in brackets and may hold any character; state and parent follow the last one.
    const [, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), parent: Number(parent) };
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) {
      return undefined;
    }
    throw error;
  }
}
