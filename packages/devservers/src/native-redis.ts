import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { bringPackages, toolEnvironment } from "./debian-packages.ts";
import { makeDataFolder, runNative } from "./native-server.ts";
import { freePort } from "./ports.ts";
import { redisAnswers, redisCommands } from "./probes.ts";
import type { Log, RedisServer, Running } from "./servers.ts";
import { startTool, type Tool } from "./tool-process.ts";
import { untilAnswers } from "./until-ready.ts";

const PACKAGES = ["redis-server", "redis-tools"];
const START_MS = 30_000;

/** What Winnow asks of a Redis, as flags: nothing is evicted, and every write is on the disk a second later. */
export function redisFlags(password: string): readonly string[] {
  const settings = {
    "maxmemory-policy": "noeviction",
    appendonly: "yes",
    appendfsync: "everysec",
    requirepass: password,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Runs Debian's Redis from the cache folder; a text where it cannot be had. */
export async function startNativeRedis(log: Log): Promise<Running<RedisServer> | string> {
  const brought = await bringPackages({ names: PACKAGES, log });
  if ("unavailable" in brought) {
    return brought.unavailable;
  }
  const data = await makeDataFolder("redis");
  const address = { host: "127.0.0.1", port: await freePort() };
  const password = randomBytes(16).toString("hex");
  const env = await toolEnvironment(brought.rootDir, data.path);
  const flags = ["--bind", address.host, "--port", String(address.port), "--dir", data.path, "--save", ""];
  const launch = async (): Promise<Tool> => {
    const tool = startTool({
      command: join(brought.rootDir, "usr/bin/redis-server"),
      args: [...flags, ...redisFlags(password)],
      cwd: data.path,
      env,
    });
    await untilAnswers(tool, () => redisAnswers(address, password), START_MS);
    return tool;
  };
  try {
    const run = await runNative(launch);
    return {
      server: {
        origin: "native",
        version: brought.versions["redis-server"] ?? null,
        url: redisUrl(address.port, password),
        controls: { ...run.controls, flushAll: () => flushAll(address.port, password) },
      },
      stop: async () => {
        await run.stop();
        await data.remove();
      },
    };
  } catch (error) {
    await data.remove();
    throw error;
  }
}

export function redisUrl(port: number, password: string): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

/** Deletes everything; rejects unless the server says that it did. */
export async function flushAll(port: number, password: string): Promise<void> {
  const reply = await redisCommands({ host: "127.0.0.1", port }, password, [["FLUSHALL", "SYNC"]]);
  if (reply !== "+OK\r\n+OK\r\n") {
    throw new Error(`Redis did not flush: ${reply?.trim() ?? "no answer"}`);
  }
}
