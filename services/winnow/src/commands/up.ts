import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { hasCode } from "@winnow/platform";
import { startProcess } from "../assembly/assemble.ts";
import { readConfiguration } from "../assembly/configuration.ts";
import type { ProcessOptions, RunningProcess } from "../assembly/options.ts";
import { type Role, roles } from "../assembly/roles.ts";
import { exitCodes, usage } from "./exit-codes.ts";
import type { Invocation } from "./invocation.ts";
import { removeReadyFile, writeReadyFile } from "./ready-file.ts";
import type { Terminal } from "./terminal.ts";
import { banner } from "./up-banner.ts";
import { type Demo, prepareDemo } from "./up-demo.ts";
import { version } from "./version.ts";

export interface UpOptions {
  readonly config?: string;
  readonly data?: string;
  readonly listen?: string;
  readonly log?: string;
  readonly windows?: string;
  readonly store?: string;
  readonly demo?: boolean;
  readonly readyFile?: string;
}

/** Taken where no `--config` names another. */
const defaultFile = "winnow.yaml";
/**
 * A second signal within this time is the same wish: npm and the launcher each pass a Ctrl-C on that the terminal has
 * already sent to the whole group. Later, a person insists.
 */
const sameWishMs = 1_000;
/** What a shell reports for a process ended by SIGINT. */
const interruptedCode = 130;

/** `winnow up`: everything in one process. */
export async function up(invocation: Invocation<UpOptions>): Promise<number> {
  return serve(invocation, roles);
}

/** `winnow receiver`, `winnow correlator`, `winnow router`: a node of a cluster. */
export function node(role: Role): (invocation: Invocation<UpOptions>) => Promise<number> {
  return async (invocation) => serve(invocation, [role]);
}

/** Runs until SIGTERM or SIGINT and then stops in order, exit 0. SIGHUP reads the configuration again. */
async function serve(invocation: Invocation<UpOptions>, held: readonly Role[]): Promise<number> {
  const { options, terminal } = invocation;
  const readyFile = options.readyFile === undefined ? null : resolve(terminal.cwd, options.readyFile);
  // One from an earlier run would tell a waiting script of a Winnow that is gone.
  if (readyFile !== null) removeReadyFile(readyFile);
  if (options.demo === true && options.config !== undefined) {
    throw usage("--demo brings its own configuration", "leave --config or --demo out");
  }
  const stopAsked = stopSignal(terminal);
  const demo = options.demo === true ? await prepareDemo(terminal) : null;
  const giveUp = new AbortController();
  void stopAsked.then(() => giveUp.abort());
  try {
    const settings = { ...settingsOf(invocation, demo), roles: held, signal: giveUp.signal };
    const running = await startProcess(settings);
    const hangUp = reloadOnHangUp(running, terminal);
    try {
      announce(running, { settings, demo, readyFile }, invocation);
      demo?.begin(running);
      const signal = await stopAsked;
      terminal.say(`${signal}: stopping`);
    } finally {
      process.off("SIGHUP", hangUp);
      await demo?.end();
      await running.stop();
    }
    terminal.say("stopped");
    return exitCodes.ok;
  } catch (error) {
    if (!giveUp.signal.aborted || !hasCode(error, "store_unavailable")) throw error;
    terminal.say("stopped while it waited for its servers");
    return exitCodes.ok;
  } finally {
    await demo?.close();
  }
}

function settingsOf({ options, terminal }: Invocation<UpOptions>, demo: Demo | null): ProcessOptions {
  const { data, listen, log, windows, store } = options;
  return {
    file: demo?.file ?? fileOf(options, terminal),
    cwd: terminal.cwd,
    env: { ...terminal.env.all, ...demo?.env },
    version: version(),
    print: (line) => {
      terminal.out(`${line}\n`);
    },
    ...(data === undefined ? {} : { data }),
    ...(listen === undefined ? {} : { listen }),
    ...(log === undefined ? {} : { log }),
    ...(windows === undefined ? {} : { windows }),
    ...(store === undefined ? {} : { store }),
  };
}

function fileOf(options: UpOptions, terminal: Terminal): string | null {
  if (options.config !== undefined) return options.config;
  return existsSync(resolve(terminal.cwd, defaultFile)) ? defaultFile : null;
}

/** Tells people and scripts that it is ready. */
function announce(
  running: RunningProcess,
  what: { readonly settings: ProcessOptions; readonly demo: Demo | null; readonly readyFile: string | null },
  { options, terminal }: Invocation<UpOptions>,
): void {
  if (running.warnings !== "") terminal.say(running.warnings);
  const { url, token, dataDir, alertmanagerUrl, guarantees } = running;
  const ready = { url, token, data_dir: dataDir, pid: process.pid, version: version() };
  // Before the words: who has read them may look for the file.
  if (what.readyFile !== null) writeReadyFile(what.readyFile, ready);
  if (options.output === "json" || options.output === "yaml") terminal.out(`${JSON.stringify(ready)}\n`);
  else {
    const loaded = readConfiguration(what.settings);
    // Started by npm, the command is not on the path of a shell.
    const command = terminal.env.all["npm_lifecycle_event"] === undefined ? "winnow" : "npx winnow";
    const demo = what.demo?.describe ?? null;
    const held = what.settings.roles ?? roles;
    // Nobody sends alerts to a node that takes none.
    const integrations = loaded.ok && held.includes("receiver") ? loaded.config.integrations : [];
    const facts = { ...ready, roles: held, alertmanagerUrl, integrations, guarantees, command, demo };
    terminal.out(banner(facts, terminal));
  }
}

/** Resolves with the name of the first signal that asks for the end. */
function stopSignal(terminal: Terminal): Promise<NodeJS.Signals> {
  const { promise, resolve: ask } = Promise.withResolvers<NodeJS.Signals>();
  let askedAt: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (askedAt === null) {
      askedAt = performance.now();
      ask(signal);
    } else if (signal === "SIGINT" && performance.now() - askedAt > sameWishMs) {
      terminal.say("stopped without waiting; what was accepted is on disk");
      process.exit(interruptedCode);
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return promise;
}

function reloadOnHangUp(running: RunningProcess, terminal: Terminal): () => void {
  const onHangUp = (): void => {
    running.reload().then(
      (result) => {
        if (result.ok) terminal.say("configuration read again");
        else terminal.say(`${result.errors}\nthe configuration has errors; the one in force stays`);
      },
      (error: unknown) => {
        terminal.say(`the configuration could not be read again: ${String(error)}`);
      },
    );
  };
  process.on("SIGHUP", onHangUp);
  return onHangUp;
}
