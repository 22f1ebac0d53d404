/** Folders, mounts and children of a torture run: whatever ends the run, nothing of it stays behind. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "winnow-torture-";
/** Without a process id: nobody sweeps it. */
const keptPrefix = "winnow-kept-torture-";

const endings = ["SIGINT", "SIGTERM"] as const;

export interface Scratch {
  /** A folder of the run's own. */
  readonly path: string;
  /** A new folder below it. */
  folder(name: string): string;
  /** Registers what must be undone; run in reverse order. */
  defer(undo: () => Promise<void> | void): void;
  /** Mounts on a new folder below; throws with the mount command's own words. */
  mount(name: string, args: readonly string[]): string;
  unmount(target: string): void;
  /** `keep`: the folder stays, for a person to look at. */
  cleanUp(keep?: boolean): Promise<void>;
}

/** Makes the run's folder, and clears what a run that was killed left behind. */
export function openScratch(): Scratch {
  sweepAbandoned();
  const path = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  const mounts = new Set<string>();
  const undos: (() => Promise<void> | void)[] = [];
  const leave = (): void => {
    for (const target of mounts) umount(target);
    mounts.clear();
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  };
  const leaveAndEnd = (signal: NodeJS.Signals): void => {
    leave();
    process.kill(process.pid, signal);
  };
  process.once("exit", leave);
  for (const signal of endings) process.once(signal, leaveAndEnd);
  return {
    path,
    folder: (name) => {
      const folder = join(path, name);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    defer: (undo) => void undos.push(undo),
    mount: (name, args) => {
      const target = join(path, name);
      mkdirSync(target, { recursive: true });
      runSystem("mount", [...args, target]);
      mounts.add(target);
      return target;
    },
    unmount: (target) => {
      umount(target);
      mounts.delete(target);
    },
    cleanUp: async (keep = false) => {
      const failures: unknown[] = [];
      for (const undo of undos.toReversed()) {
        try {
          await undo();
        } catch (error) {
          failures.push(error);
        }
      }
      process.off("exit", leave);
      for (const signal of endings) process.off(signal, leaveAndEnd);
      if (keep) renameSync(path, `${path}-kept`.replace(prefix, keptPrefix));
      else leave();
      if (failures.length > 0) throw new AggregateError(failures, "what a run started could not all be ended");
    },
  };
}

/** Runs a command of the operating system; throws with its own words when it fails. */
export function runSystem(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Lazily where somebody still holds a file open: the mount is out of sight and ends with its last user. */
function umount(target: string): void {
  try {
    runSystem("umount", [target]);
  } catch {
    try {
      runSystem("umount", ["-l", target]);
    } catch {
      // Not mounted any more.
    }
  }
}

/** A run's folder names its process; one whose process is gone was left by a SIGKILL. */
function sweepAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(tmpdir(), name);
    for (const inner of readdirSync(path)) umount(join(path, inner));
    rmSync(path, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** null where this process may mount; else why it may not, in words for a skipped test. */
export function mountProblem(args: readonly string[]): string | null {
  if (process.platform !== "linux") return `mounts are tested on Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "mounting needs root";
  const target = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-probe-`));
  try {
    runSystem("mount", [...args, target]);
    umount(target);
    return null;
  } catch (error) {
    return `this machine does not mount: ${error instanceof Error ? error.message.trim() : String(error)}`;
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
