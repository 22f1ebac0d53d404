import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pin, until } from "../processes.ts";
import type { Running, Target } from "./target.ts";

const launcher = join(import.meta.dirname, "..", "..", "services", "winnow", "bin", "winnow.mjs");

/** Room for every key in one incident per service, as Alertmanager's groups have; tickets are not what is measured here. */
export const configuration = `
version: 1
log_level: warn
sources:
  alertmanager: { type: alertmanager }
rules:
  - id: per-service
    group_by: [service]
    window: { type: until_resolved, max_alerts: 100000 }
    hold: 1h
`;

interface Ready {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly version: string;
}

/** Winnow as people start it: durable, everything in one process. */
export function winnowTarget(version: string): Target {
  return {
    name: "Winnow",
    version,
    start: async (dataDir) => {
      const config = join(dataDir, "..", "winnow.yaml");
      writeFileSync(config, configuration);
      const readyFile = join(dataDir, "..", "ready.json");
      rmSync(readyFile, { force: true });
      const args = ["up", "--config", config, "--data", dataDir, "--listen", "127.0.0.1:0", "--ready-file", readyFile];
      const { NODE_OPTIONS: _hooks, ...env } = process.env;
      const child = spawn(process.execPath, [launcher, ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
      if (child.pid !== undefined) pin(child.pid, "target");
      await until("Winnow is ready", 60_000, async () => existsSync(readyFile));
      return running(child, JSON.parse(readFileSync(readyFile, "utf8")) as Ready);
    },
  };
}

function running(child: ChildProcess, ready: Ready): Running {
  const url = new URL(ready.url);
  const headers = { authorization: `Bearer ${ready.token}` };
  const ended = once(child, "exit");
  const accounting = async (): Promise<{ accepted: number; in_flight: number }> => {
    const reply = await fetch(`${ready.url}/v1/accounting`, { headers });
    return (await reply.json()) as { accepted: number; in_flight: number };
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.kill(ready.pid, signal);
    await ended;
  };
  pin(ready.pid, "target");
  return {
    pid: ready.pid,
    endpoint: {
      host: url.hostname,
      port: Number(url.port),
      path: "/compat/alertmanager/alertmanager/api/v2/alerts",
      headers,
    },
    drained: async () => {
      await until("Winnow has drained", 300_000, async () => (await accounting()).in_flight === 0);
      return (await accounting()).accepted;
    },
    kill: async () => end("SIGKILL"),
    stop: async () => end("SIGTERM"),
  };
}
