/** The product and its fakes as processes of their own, known only by what the outside contract says of them. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CommandResult, runCommand } from "../../real-tools/run-command.ts";
import { startTool, type Tool } from "../../real-tools/tool-process.ts";
import { type Client, openClient } from "./client.ts";
import { until } from "./until.ts";

export interface Ready {
  readonly url: string;
  readonly token: string;
  readonly data_dir: string;
  readonly pid: number;
  readonly version: string;
}

export interface ProductOptions {
  /** A folder of its own: working directory, data and ready file. */
  readonly folder: string;
  /** Flags behind `up`; `--listen 127.0.0.1:0` and the ready file are added. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A running Winnow, whatever it consists of. */
export interface Deployment {
  /** Of the process that takes alerts, the first of them in a cluster. */
  readonly ready: Ready;
  /** Asks the API with the installation's token, at any process that serves what is asked for. */
  readonly client: Client;
  /** Asks the process of `ready` alone. */
  readonly entry: Client;
  /** Base URLs of all that take alerts. */
  readonly entryUrls: readonly string[];
  /** Whether its data directory holds all that is decided from, so that `winnow replay` can read it. */
  readonly isReplayable: boolean;
  /** What it printed. */
  output(): string;
  /** SIGTERM; resolves with the exit code, the first that is not 0 in a cluster. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** `winnow up`, everything in one process. */
export interface Product extends Deployment {
  readonly tool: Tool;
  signal(name: NodeJS.Signals): void;
}

const launcher = join(dirname(import.meta.dirname), "../../services/winnow/bin/winnow.mjs");
const startMs = 60_000;

/** The environment of an operator's shell. Without NODE_OPTIONS: a test runner's hooks are no part of the product. */
export function shellEnvironment(home: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: home, LANG: "C.UTF-8", TZ: "UTC", ...more };
}

/** Starts `winnow up`; resolves when its ready file is there, rejects with its output when it ends before. */
export async function startProduct({ folder, args = [], env = {} }: ProductOptions): Promise<Product> {
  const file = join(folder, "ready.json");
  rmSync(file, { force: true });
  const flags = args.includes("--listen") ? args : [...args, "--listen", "127.0.0.1:0"];
  const tool = startTool({
    command: process.execPath,
    args: [launcher, "up", ...flags, "--ready-file", file],
    cwd: folder,
    env: shellEnvironment(folder, env),
  });
  const died = tool.ended.then((end) => {
    throw new Error(`winnow up ended with ${end}:\n${tool.output()}`);
  });
  died.catch(() => undefined);
  const written = until("the ready file", async () => existsSync(file) && readReady(file), startMs);
  const ready = await Promise.race([written, died]);
  const client = openClient(ready.url, ready.token);
  return {
    ready,
    tool,
    client,
    entry: client,
    entryUrls: [ready.url],
    isReplayable: true,
    output: tool.output,
    stop: async () => {
      await tool.stop();
      return tool.ended;
    },
    signal: (name) => void process.kill(ready.pid, name),
  };
}

/** null while the file is not whole. */
export function readReady(file: string): Ready | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Ready;
  } catch {
    return null;
  }
}

/** Runs one command line of `winnow` to its end. */
export async function winnow(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<CommandResult> {
  return await runCommand(process.execPath, [launcher, ...args], {
    cwd: options.cwd,
    env: shellEnvironment(options.cwd, options.env),
  });
}

export interface LedgerRow {
  readonly seq: number;
  readonly op: string;
  readonly by: string;
  readonly number: string;
  readonly correlation_id: string;
  readonly [field: string]: unknown;
}

export interface Fake {
  readonly url: string;
  readonly tool: Tool;
  /** What its ledger file says. */
  ledger(): readonly LedgerRow[];
}

/** Starts `winnow fake NAME` with a ledger in `folder`. */
export async function startFakeVendor(name: string, folder: string, listen = "127.0.0.1:0"): Promise<Fake> {
  const file = join(folder, `${name}-ledger.jsonl`);
  const tool = startTool({
    command: process.execPath,
    args: [launcher, "fake", name, "--listen", listen, "--ledger", file],
    cwd: folder,
    env: shellEnvironment(folder),
  });
  const [url] = await tool.line(/^http:\/\/127\.0\.0\.1:\d+$/);
  return { url, tool, ledger: () => readLedger(file) };
}

export function readLedger(file: string): LedgerRow[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as LedgerRow);
}
