/** A program of the product as a process: started, killed, stopped, frozen, and nothing else known of it. */
import { existsSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isErrno, startTool, type Tool } from "@winnow/devservers";

export interface ProductOptions {
  readonly config: string;
  readonly dataDir: string;
  /** Outside the data directory, on a disk that no fault touches. */
  readonly readyFile: string;
  readonly port: number;
  readonly cacheDir: string;
  /** false starts it without fsync: for the test that shows what that costs. */
  readonly fsync?: boolean;
  /** What Node runs; `winnow up` by default. */
  readonly program?: readonly string[];
  /** Flags behind those of every program. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ready {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
}

export interface Product {
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Resolves once it is ready; rejects when it ends before. */
  readonly ready: Promise<Ready>;
  /** Milliseconds from its start until it was ready; null before. */
  readyMs(): number | null;
  signal(name: NodeJS.Signals): void;
  /** Its threads that are neither stopped nor waiting inside the kernel for a disk. Linux only. */
  runningThreads(): number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it has drained and gone. */
  stop(): Promise<void>;
  output(): string;
}

const here = dirname(fileURLToPath(import.meta.url));
const launcher = join(here, "../../services/winnow/bin/winnow.mjs");
const runner = fileURLToPath(import.meta.resolve("./run-product.ts"));
const readyMsMax = 60_000;

/** Starts it. Only the program's own flags and the environment of an operator are used, the fsync switch aside. */
export function startProduct(options: ProductOptions): Product {
  rmSync(options.readyFile, { force: true });
  const flags = ["--config", options.config, "--data", options.dataDir];
  const rest = ["--listen", `127.0.0.1:${options.port}`, "--ready-file", options.readyFile];
  const program = options.program ?? (options.fsync === false ? [runner] : [launcher, "up"]);
  const started = performance.now();
  const tool = startTool({
    command: process.execPath,
    args: [...program, ...flags, ...rest, ...(options.flags ?? [])],
    cwd: dirname(options.config),
    env: { ...productEnvironment(options.cacheDir), ...options.env },
  });
  let readyMs: number | null = null;
  const ready = whenReady(tool, options.readyFile).then((found) => {
    readyMs = performance.now() - started;
    return found;
  });
  ready.catch(() => undefined);
  return {
    pid: tool.pid,
    ended: tool.ended,
    ready,
    readyMs: () => readyMs,
    signal: (name) => signalIfThere(tool.pid, name),
    runningThreads: () => runningThreads(tool.pid),
    kill: async () => {
      signalIfThere(tool.pid, "SIGKILL");
      await tool.stop();
    },
    stop: () => tool.stop(),
    output: () => tool.output(),
  };
}

function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

/** Without NODE_OPTIONS: a test runner's hooks are no part of the product. */
export function productEnvironment(cacheDir: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: cacheDir,
    LANG: "C.UTF-8",
    TZ: "UTC",
    SNOW_PASSWORD: "torture",
    NODE_COMPILE_CACHE: join(cacheDir, "compiled"),
  };
}

/** States of proc(5): T is stopped, D waits for a disk. */
function runningThreads(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const states = readdirSync(folder).map(
    (thread) => /\) (.)/.exec(readFileSync(join(folder, thread, "stat"), "utf8"))?.[1],
  );
  return states.filter((state) => state !== "T" && state !== "D").length;
}

async function whenReady(tool: Tool, file: string): Promise<Ready> {
  const { promise, resolve, reject } = Promise.withResolvers<Ready>();
  const look = (): void => {
    const ready = existsSync(file) ? parseReady(readFileSync(file, "utf8")) : null;
    if (ready !== null) resolve(ready);
  };
  const watcher = watch(dirname(file), look);
  // No line matches: it rejects when the process ends, with the last lines that it printed.
  tool.line(/^\0never$/, readyMsMax).catch(reject);
  look();
  try {
    return await promise;
  } finally {
    watcher.close();
  }
}

/** null while the file is not whole. */
function parseReady(text: string): Ready | null {
  try {
    return JSON.parse(text) as Ready;
  } catch {
    return null;
  }
}

/** A port that was free a moment ago: a product that is restarted must come back at the same place. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : 0);
  });
  const port = await promise;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  return port;
}
