import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { devEnvironment } from "./environment.ts";
import { type CommandResult, runCommand } from "./run-command.ts";
import type { Log, ServerControls } from "./servers.ts";
import { untilTrue } from "./until-ready.ts";

const INFO_MS = 5_000;
const PULL_MS = 300_000;
const START_MS = 90_000;
const STOP_SECONDS = 10;
const LOG_LINES = 20;

/** Whether a Docker engine answers; a client without one, or one that hangs, does not count. */
export async function hasDockerEngine(timeoutMs = INFO_MS): Promise<boolean> {
  const { code, stdout } = await docker(["info", "--format", "{{.ServerVersion}}"], timeoutMs);
  return code === 0 && stdout.trim() !== "";
}

export interface ContainerOptions {
  /** With its version. */
  readonly image: string;
  /** The server's own port, and where it is published on 127.0.0.1. */
  readonly port: { readonly inside: number; readonly outside: number };
  readonly env: Readonly<Record<string, string>>;
  /** What the image runs, where not its default. */
  readonly command: readonly string[];
  readonly answers: () => Promise<boolean>;
  readonly log: Log;
}

export interface Container {
  readonly controls: ServerControls;
  /** Removes the container and its data. */
  stop(): Promise<void>;
}

/** Starts a container that is removed when we end, whatever ends us. Rejects when it cannot be had or never answers. */
export async function runContainer(options: ContainerOptions): Promise<Container> {
  const { image, answers, log } = options;
  if ((await docker(["image", "inspect", image], INFO_MS)).code !== 0) {
    log(`pulling ${image}`);
    await must(["pull", "--quiet", image], PULL_MS);
  }
  const name = `winnow-${randomBytes(6).toString("hex")}`;
  const guard = spawnGuard(name);
  const start = async (): Promise<void> => {
    await must(["start", name]);
    await untilTrue(`${image} answers`, answers, START_MS);
  };
  const stop = async (): Promise<void> => {
    await docker(["rm", "--force", "--volumes", name]);
    const gone = once(guard, "close");
    guard.kill("SIGKILL");
    await gone;
  };
  try {
    await must(createArguments(name, options));
    await start();
  } catch (error) {
    const { stdout, stderr } = await docker(["logs", "--tail", String(LOG_LINES), name]);
    await stop();
    throw new Error(`${String(error)}\n${stdout}${stderr}`, { cause: error });
  }
  return { controls: controlsOf(name, start), stop };
}

function createArguments(name: string, { image, port, env, command }: ContainerOptions): readonly string[] {
  const published = `127.0.0.1:${port.outside}:${port.inside}`;
  const variables = Object.entries(env).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
  return ["create", "--name", name, "--publish", published, ...variables, image, ...command];
}

function controlsOf(name: string, start: () => Promise<void>): ServerControls {
  let isPaused = false;
  const resume = async (): Promise<void> => {
    if (isPaused) {
      isPaused = false;
      await must(["unpause", name]);
    }
  };
  return {
    restart: async () => {
      await resume();
      await must(["stop", "--time", String(STOP_SECONDS), name]);
      await start();
    },
    kill9: async () => {
      await resume();
      await must(["kill", "--signal", "KILL", name]);
      await must(["wait", name]);
    },
    start,
    pause: async () => {
      if (!isPaused) {
        await must(["pause", name]);
        isPaused = true;
      }
    },
    resume,
  };
}

/** Removes the container when its standard input ends, which only we hold: the engine does not notice our death. */
function spawnGuard(name: string): ChildProcess {
  return spawn("/bin/sh", ["-c", 'cat >/dev/null; exec docker rm --force --volumes "$0"', name], {
    env: environment(),
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
}

async function must(args: readonly string[], timeoutMs?: number): Promise<void> {
  const { code, stderr } = await docker(args, timeoutMs);
  if (code !== 0) {
    throw new Error(`docker ${args[0]} failed with ${code}: ${stderr.trim()}`);
  }
}

function docker(args: readonly string[], timeoutMs = 60_000): Promise<CommandResult> {
  return runCommand("docker", args, { env: environment(), timeoutMs });
}

function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _hooks, ...env } = devEnvironment().all;
  return env;
}
