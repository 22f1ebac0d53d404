import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { processTree, signal } from "./process-tree.ts";
import type { UserIds } from "./run-command.ts";

export interface ToolOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment: nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Whom it runs as; ours to choose for root alone. */
  readonly user?: UserIds;
  /** What asks it to end; SIGTERM by default. */
  readonly stopSignal?: NodeJS.Signals;
}

/** A program that runs in a process group of its own and dies with us, whatever ends us. */
export interface Tool {
  readonly pid: number;
  /** Its last lines of output. */
  output(): string;
  /** The first line that matches, of those seen and those to come. Rejects when the program ends or time is up. */
  line(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Resolves when it has ended, with its exit code or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Ends the program and all that it started; done when they are gone. */
  stop(): Promise<void>;
  /** SIGKILL to the program and all that it started; done when they are gone. */
  kill(): Promise<void>;
}

/**
 * The shell leaves a guard behind in the group and becomes the program. The guard reads a pipe that only we hold: when
 * we are gone, it ends the group, even after a SIGKILL of the test run.
 */
const GUARDED = '(cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec 3<&-; exec "$0" "$@"';
const LINES_MAX = 400;
const LINE_TIMEOUT_MS = 60_000;
const GRACE_MS = 8_000;

export function startTool(options: ToolOptions): Tool {
  const child = spawn("/bin/sh", ["-c", GUARDED, options.command, ...options.args], {
    cwd: options.cwd,
    env: { ...options.env },
    ...options.user,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const { pid, stdout, stderr } = child;
  const guard = child.stdio[3];
  if (pid === undefined || stdout === null || stderr === null || !(guard instanceof Socket)) {
    throw new Error(`/bin/sh did not start for ${options.command}`);
  }
  const lines = lineLog(options.command);
  for (const input of [stdout, stderr]) {
    createInterface({ input }).on("line", lines.hear);
  }
  const closed = Promise.withResolvers<number | NodeJS.Signals>();
  child.once("exit", () => {
    // What the program left behind goes, too. The guard is still in the group, so the id can be nobody else's.
    signal(-pid, "SIGKILL");
  });
  // Read, so that its end is seen: `close` then means that the guard is gone as well.
  guard.resume();
  child.once("close", (code, signalName) => {
    const end = signalName ?? code ?? 1;
    lines.end(`ended with ${end}`);
    closed.resolve(end);
  });
  return {
    pid,
    output: lines.text,
    line: lines.find,
    ended: closed.promise,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        signal(pid, options.stopSignal ?? "SIGTERM");
      }
      const overdue = setTimeout(() => signal(pid, "SIGKILL"), GRACE_MS);
      await closed.promise;
      clearTimeout(overdue);
    },
    kill: async () => {
      // The exit of the first ends its group; a daemon's children may have left it.
      for (const one of await processTree(pid)) {
        signal(one, "SIGKILL");
      }
      await closed.promise;
    },
  };
}

interface LineLog {
  readonly hear: (line: string) => void;
  readonly end: (why: string) => void;
  readonly text: () => string;
  readonly find: Tool["line"];
}

interface Waiter {
  readonly pattern: RegExp;
  readonly resolve: (match: RegExpExecArray) => void;
  readonly fail: (why: string) => void;
}

function lineLog(command: string): LineLog {
  const lines: string[] = [];
  const waiters = new Set<Waiter>();
  let ended: string | undefined;
  const text = (): string => lines.join("\n");
  return {
    text,
    hear: (line) => {
      lines.push(line);
      lines.splice(0, lines.length - LINES_MAX);
      for (const waiter of waiters) {
        const match = waiter.pattern.exec(line);
        if (match !== null) {
          waiter.resolve(match);
        }
      }
    },
    end: (why) => {
      ended = why;
      for (const waiter of waiters) {
        waiter.fail(why);
      }
    },
    find: (pattern, timeoutMs = LINE_TIMEOUT_MS) => {
      const seen = lines.map((line) => pattern.exec(line)).find((match) => match !== null);
      if (seen !== undefined) {
        return Promise.resolve(seen);
      }
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const fail = (why: string): void => reject(new Error(`${command} ${why} before ${pattern}:\n${text()}`));
      if (ended !== undefined) {
        fail(ended);
        return promise;
      }
      const waiter = { pattern, resolve, fail };
      waiters.add(waiter);
      const timer = setTimeout(() => fail(`was silent for ${timeoutMs} ms`), timeoutMs);
      return promise.finally(() => {
        clearTimeout(timer);
        waiters.delete(waiter);
      });
    },
  };
}
