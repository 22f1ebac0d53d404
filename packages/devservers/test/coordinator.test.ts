import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { BroughtServers } from "../src/bring-servers.ts";
import { askCoordinator, COORDINATOR_SOCKET, type Coordinator, startCoordinator } from "../src/coordinator.ts";
import type { ServerKind } from "../src/servers.ts";

interface Bench {
  readonly socket: string;
  readonly coordinator: Coordinator;
  /** `start KIND` and `stop KIND`, in their order. */
  readonly deeds: string[];
}

/** A coordinator over servers that are words; Redis starts, Kafka cannot be had until `kafkaCan` says so. */
async function bench(t: Test, kafkaCan: () => boolean = () => false): Promise<Bench> {
  // Not below the repository: a socket's path has room for some hundred characters.
  const folder = mkdtempSync(join(tmpdir(), "winnow-"));
  const socket = join(folder, COORDINATOR_SOCKET);
  const deeds: string[] = [];
  const coordinator = await startCoordinator(socket, async ({ kinds, log }) => {
    const [kind = "redis"] = kinds;
    deeds.push(`start ${kind}`);
    log?.(`starting ${kind}`);
    return Promise.resolve(kind === "kafka" && !kafkaCan() ? refused(kind) : started(kind, deeds));
  });
  t.teardown(async () => {
    await coordinator.stop();
    rmSync(folder, { recursive: true });
  });
  return { socket, coordinator, deeds };
}

function refused(kind: ServerKind): BroughtServers {
  return { unavailable: [{ kind, reason: "no Java" }], stop: () => Promise.resolve() };
}

function started(kind: ServerKind, deeds: string[]): BroughtServers {
  return {
    redis: { origin: "native", version: "7", url: `redis://${kind}` },
    kafka: { origin: "native", version: "4", brokers: [kind] },
    unavailable: [],
    stop: () => {
      deeds.push(`stop ${kind}`);
      return Promise.resolve();
    },
  };
}

await t.test("a server is started once however many ask, and stopped at the end", async (t) => {
  const { socket, coordinator, deeds } = await bench(t);
  const lines: string[] = [];
  const ask = () => askCoordinator(socket, { do: "need", kinds: ["redis"] }, (line) => lines.push(line));
  const answers = await Promise.all([ask(), ask()]);
  const redis = { origin: "native", version: "7", url: "redis://redis" };
  t.same(answers, [
    { redis, unavailable: [] },
    { redis, unavailable: [] },
  ]);
  t.same(deeds, ["start redis"]);
  t.same(lines, ["starting redis"]);
  await coordinator.stop();
  t.same(deeds, ["start redis", "stop redis"]);
  await t.rejects(ask(), { code: "ENOENT" }, "nobody answers any more");
});

await t.test("what cannot be had is not tried again unless that is asked for", async (t) => {
  let can = false;
  const { socket, coordinator, deeds } = await bench(t, () => can);
  const unavailable = [{ kind: "kafka", reason: "no Java" }];
  t.same(await askCoordinator(socket, { do: "need", kinds: ["kafka"] }), { unavailable });
  t.same(await coordinator.unavailable(), unavailable);
  can = true;
  t.same(await askCoordinator(socket, { do: "need", kinds: ["kafka"] }), { unavailable });
  t.same(deeds, ["start kafka"]);
  const found = await askCoordinator(socket, { do: "need", kinds: ["kafka"], again: true });
  t.same(found.kafka?.brokers, ["kafka"]);
});

await t.test("a request to stop is answered when all is stopped", async (t) => {
  const { socket, coordinator, deeds } = await bench(t);
  await askCoordinator(socket, { do: "need", kinds: ["redis"] });
  t.same(await askCoordinator(socket, { do: "stop" }), { unavailable: [] });
  t.same(deeds, ["start redis", "stop redis"]);
  await coordinator.stopAsked;
});
