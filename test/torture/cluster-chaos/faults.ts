/** What is done to a cluster, one fault after the other, while it works. */
import { setTimeout as pause } from "node:timers/promises";
import type { FoundServers } from "@winnow/devservers";
import type { Cluster } from "../../cluster/cluster.ts";
import type { ClusterNode, Service } from "../../cluster/node.ts";
import type { Random } from "../random.ts";
import { type RedisSnapshot, restoreSnapshot, takeSnapshot } from "./redis-snapshot.ts";

export const faultKinds = [
  "kill receiver",
  "kill correlator",
  "kill router",
  "freeze correlator",
  "freeze router",
  "kill kafka",
  "flush redis",
  "restore redis",
  "kill redis",
  "restart postgres",
  "kill postgres",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Servers of this run alone. */
export type OwnServers = Required<Pick<FoundServers, "kafka" | "redis" | "postgres">>;

export interface Stricken {
  readonly cluster: Cluster;
  readonly servers: OwnServers;
  readonly random: Random;
  /** What happened, for whoever reads the run. */
  readonly say: (line: string) => void;
}

/** The group gives the partitions of a silent correlator away after 10 s. */
const frozenCorrelatorMs = { min: 12_000, max: 18_000 } as const;
/** Of the vendor, as the run's configuration has it. */
export const killTimeMs = 6_000;
/** A delivery's lease is the vendor's kill time and 30 s long. */
const frozenRouterMs = { min: 30_000 + killTimeMs + 2_000, max: 30_000 + killTimeMs + 6_000 } as const;
const downMsMax = 3_000;

/** The next kinds: every one once in each round, in an order of the round's own. */
export function* planFaults(random: Random): Generator<FaultKind> {
  for (;;)
    yield* [...faultKinds]
      .map((kind) => ({ kind, at: random.next() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ kind }) => kind);
}

export interface Striker {
  /** Strikes; resolves when what was hurt is at work again, for a frozen process as soon as it is frozen. */
  strike(kind: FaultKind): Promise<void>;
  /** Resolves when nothing is frozen any more. Rejects with the first failure of one that should have gone on. */
  healed(): Promise<void>;
  /** How often each kind has struck. */
  counts(): Readonly<Record<FaultKind, number>>;
}

export function openStriker(stricken: Stricken): Striker {
  const counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  const frozen = new Map<ClusterNode, Promise<void>>();
  let snapshot: RedisSnapshot | null = null;
  const { cluster, servers, random, say } = stricken;

  const groups: Readonly<Record<Service, readonly ClusterNode[]>> = {
    receiver: cluster.receivers,
    correlator: cluster.correlators,
    router: cluster.routers,
  };
  /** One that is not frozen; waits where all are. */
  const victim = async (service: Service): Promise<ClusterNode> => {
    const awake = groups[service].filter((node) => !frozen.has(node));
    const [first, ...others] = awake;
    if (first !== undefined) return random.pick([first, ...others]);
    await Promise.race(frozen.values());
    return victim(service);
  };
  const kill = async (service: Service): Promise<void> => {
    const node = await victim(service);
    say(`kill -9 ${node.name}`);
    await node.kill();
    await pause(random.next() * downMsMax);
    await node.start();
  };
  const freeze = async (service: Service, times: { readonly min: number; readonly max: number }): Promise<void> => {
    const node = await victim(service);
    const ms = random.between(times.min, times.max);
    say(`SIGSTOP ${node.name} for ${ms} ms`);
    await node.freeze();
    const over = pause(ms).then(() => {
      node.thaw();
      frozen.delete(node);
      say(`SIGCONT ${node.name}`);
    });
    frozen.set(node, over);
  };
  const killServer = async (name: "kafka" | "redis" | "postgres"): Promise<void> => {
    const { controls } = servers[name];
    if (controls === undefined) throw new Error(`${name} is not this run's own`);
    say(`kill -9 ${name}`);
    await controls.kill9();
    await pause(random.next() * downMsMax);
    await controls.start();
  };
  const strikes: Readonly<Record<FaultKind, () => Promise<void>>> = {
    "kill receiver": () => kill("receiver"),
    "kill correlator": () => kill("correlator"),
    "kill router": () => kill("router"),
    "freeze correlator": () => freeze("correlator", frozenCorrelatorMs),
    "freeze router": () => freeze("router", frozenRouterMs),
    "kill kafka": () => killServer("kafka"),
    "kill redis": () => killServer("redis"),
    "kill postgres": () => killServer("postgres"),
    "flush redis": async () => {
      say("FLUSHALL");
      await servers.redis.controls?.flushAll();
    },
    "restore redis": async () => {
      const older = snapshot ?? (await takeSnapshot(servers.redis.url));
      if (snapshot === null) await pause(random.next() * downMsMax);
      say(`an older dump of Redis, ${older.length} keys`);
      await restoreSnapshot(servers.redis.url, older);
      snapshot = null;
    },
    "restart postgres": async () => {
      say("restart postgres");
      await servers.postgres.controls?.restart();
    },
  };
  return {
    strike: async (kind) => {
      // As old as the faults between: the longer the dump, the more of it is wrong.
      if (kind !== "restore redis" && snapshot === null && random.chance(0.5)) {
        snapshot = await takeSnapshot(servers.redis.url);
      }
      await strikes[kind]();
      counts[kind] += 1;
    },
    healed: async () => {
      await Promise.all(frozen.values());
    },
    counts: () => ({ ...counts }),
  };
}
