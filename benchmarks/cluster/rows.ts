/** A cluster's rows: one of each program over real Kafka, Redis and Postgres, and what each of them costs. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, layCluster } from "@winnow/test/cluster/cluster.ts";
import { type ClusterServers, dropNames, takeNames } from "@winnow/test/cluster/names.ts";
import { services } from "@winnow/test/cluster/node.ts";
import type { LoadShape } from "../load/requests.ts";
import { sendLoad } from "../load/send-load.ts";
import { cpuSeconds, residentKb, until } from "../processes.ts";
import { configuration } from "../targets/winnow.ts";

export interface ClusterScenario {
  readonly name: string;
  readonly shape: LoadShape;
  readonly connections: number;
  /** Every alert is new, once; else all keys are open before the measurement and are repeated. */
  readonly isFirstTime?: boolean;
}

/** What one program did in a row. */
interface StageCost {
  readonly cpu_s_per_1000: number;
  /** What one core of it alone would take: 1,000 divided by the above. */
  readonly alerts_per_core_s: number;
  readonly rss_mb: number;
}

/** One line of the table. */
export interface ClusterRow {
  readonly scenario: string;
  readonly alerts: number;
  /** From the first byte sent until everything sent has been worked off, all processes on this machine. */
  readonly alerts_per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly drain_s: number;
  readonly refused: number;
  readonly stages: Readonly<Record<string, StageCost>>;
}

const groups = 200;

export const clusterScenarios: readonly ClusterScenario[] = [
  { name: "single, 64 connections, 500 keys", shape: { batch: 1, keys: 500, groups }, connections: 64 },
  { name: "batch of 50, 64 connections, 500 keys", shape: { batch: 50, keys: 500, groups }, connections: 64 },
  { name: "batch of 50, 64 connections, 100k keys", shape: { batch: 50, keys: 100_000, groups }, connections: 64 },
  {
    name: "batch of 50, 64 connections, 100k alerts for the first time",
    shape: { batch: 50, keys: 100_000, groups },
    connections: 64,
    isFirstTime: true,
  },
];

/** Starts one of each program afresh, lets `work` use them and removes all that they leave. */
export async function withCluster<Result>(
  servers: ClusterServers,
  config: string,
  work: (cluster: Cluster, folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "winnow-bench-"));
  const file = join(folder, "winnow.yaml");
  writeFileSync(file, config);
  const names = await takeNames(servers);
  const cluster = await layCluster({ receivers: 1, correlators: 1, routers: 1, folder, config: file, names });
  try {
    await cluster.migrate();
    await cluster.start();
    return await work(cluster, folder);
  } finally {
    await cluster.kill();
    await dropNames(names);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Warm-up, then the load, then the drain, which counts. */
export async function measureCluster(
  servers: ClusterServers,
  scenario: ClusterScenario,
  durationMs: number,
): Promise<ClusterRow> {
  return withCluster(servers, configuration, async (cluster) => {
    const { shape, connections } = scenario;
    const isFirst = scenario.isFirstTime === true;
    const order = { shape, connections, endpoint: endpointOf(cluster) };
    await sendLoad({ ...order, shape: { ...shape, keys: 500 }, durationMs: durationMs / 3, rounds: 1 });
    if (!isFirst) await sendLoad({ ...order, shape: { ...shape, batch: 50 }, durationMs: 0, rounds: 1 });
    const before = await drained(cluster);
    const cpuBefore = cpuOf(cluster);
    const started = performance.now();
    const report = await sendLoad({ ...order, durationMs: isFirst ? 0 : durationMs, rounds: isFirst ? 1 : 0 });
    const loaded = performance.now();
    const alerts = (await drained(cluster)) - before;
    const ended = performance.now();
    const cpuAfter = cpuOf(cluster);
    return {
      scenario: scenario.name,
      alerts,
      alerts_per_s: Math.round((alerts / (ended - started)) * 1_000),
      p50_ms: Number(report.p50_ms.toFixed(2)),
      p99_ms: Number(report.p99_ms.toFixed(2)),
      drain_s: Number(((ended - loaded) / 1_000).toFixed(2)),
      refused: report.refused,
      stages: Object.fromEntries(
        services.map((service) => {
          const seconds = (cpuAfter[service] ?? 0) - (cpuBefore[service] ?? 0);
          return [
            service,
            {
              cpu_s_per_1000: Number(((seconds / alerts) * 1_000).toFixed(4)),
              alerts_per_core_s: seconds === 0 ? 0 : Math.round(alerts / seconds),
              rss_mb: Math.round(residentKb(pidOf(cluster, service)) / 1_024),
            },
          ];
        }),
      ),
    };
  });
}

function pidOf(cluster: Cluster, service: string): number {
  const pid = cluster.nodes.find((node) => node.service === service)?.pid() ?? null;
  if (pid === null) throw new Error(`the ${service} is gone:\n${cluster.output()}`);
  return pid;
}

function cpuOf(cluster: Cluster): Readonly<Record<string, number>> {
  return Object.fromEntries(services.map((service) => [service, cpuSeconds(pidOf(cluster, service))]));
}

function endpointOf({ receivers, token }: Cluster) {
  const { hostname, port } = new URL(receivers[0]?.url ?? "");
  const path = "/compat/alertmanager/alertmanager/api/v2/alerts";
  return { host: hostname, port: Number(port), path, headers: { authorization: `Bearer ${token}` } };
}

/** Resolves with the number of accepted alerts once none of them is under way. */
async function drained({ routers, token }: Cluster): Promise<number> {
  const accounting = async (): Promise<{ accepted: number; in_flight: number }> => {
    const headers = { authorization: `Bearer ${token}` };
    const reply = await fetch(`${routers[0]?.url}/v1/accounting`, { headers });
    return (await reply.json()) as { accepted: number; in_flight: number };
  };
  await until("the cluster has drained", 600_000, async () => (await accounting()).in_flight === 0);
  return (await accounting()).accepted;
}
