/** A cluster over real servers, for tests; and the acceptance suites over one. */
import { join } from "node:path";
import type { Test } from "tap";
import { type Cluster, layCluster, type NodeCounts } from "../../cluster/cluster.ts";
import { type ClusterNames, type ClusterServers, clusterServers, dropNames, takeNames } from "../../cluster/names.ts";
import { sharedServers, skipWithout } from "../../real-servers/shared.ts";
import { type Answer, type Client, openClient } from "./client.ts";
import { mergeMetrics } from "./merge-metrics.ts";
import { type StartDeployment, setMode } from "./mode.ts";
import { type Deployment, readReady } from "./product.ts";

export interface StartClusterOptions extends Partial<NodeCounts> {
  readonly servers: ClusterServers;
  /** Holds winnow.yaml, and takes data and ready files. */
  readonly folder: string;
  /** Of a cluster that was there before, and is left there; else its own, which are removed after the test. */
  readonly names?: ClusterNames;
  readonly env?: Readonly<Record<string, string>>;
  readonly ownTokens?: boolean;
}

/** Two of each program, migrated and ready. Ended after the test; what they printed is shown where it failed. */
export async function startCluster(t: Test, options: StartClusterOptions): Promise<Cluster> {
  const { servers, folder, names: given } = options;
  const names = given ?? (await takeNames(servers));
  if (given === undefined) t.teardown(() => dropNames(names));
  const { receivers = 2, correlators = 2, routers = 2, env = {}, ownTokens = false } = options;
  const config = join(folder, "winnow.yaml");
  const cluster = await layCluster({ receivers, correlators, routers, folder, names, config, env, ownTokens });
  t.teardown(async () => {
    if (!t.passing()) t.comment(cluster.output());
    await cluster.kill();
  });
  await cluster.migrate();
  await cluster.start();
  return cluster;
}

/**
 * Runs a suite, a test file that starts Winnow with `startInMode`, over a cluster: alerts go to the receivers in turn,
 * everything else to a router. Skipped with the reason where the servers cannot be had.
 */
export async function runOverCluster(t: Test, suite: () => Promise<unknown>): Promise<void> {
  const servers = await sharedServers(t, ["kafka", "redis", "postgres"]);
  const skip = skipWithout(servers, "kafka", "redis", "postgres");
  if (skip !== false) {
    await t.test("over a cluster", { skip }, () => {});
    return;
  }
  setMode(clusterMode(t, clusterServers(servers)));
  await suite();
}

/** Each folder has its own names, so that a second start finds what the first one left. */
function clusterMode(t: Test, servers: ClusterServers): StartDeployment {
  const known = new Map<string, Promise<ClusterNames>>();
  t.teardown(async () => {
    for (const names of known.values()) await dropNames(await names);
  });
  return async ({ folder, env }) => {
    const names = known.get(folder) ?? takeNames(servers);
    known.set(folder, names);
    const options = { servers, folder, names: await names, ...(env === undefined ? {} : { env }) };
    return deploymentOf(await startCluster(t, options), folder);
  };
}

function deploymentOf(cluster: Cluster, folder: string): Deployment {
  const token = cluster.token;
  const ready = readReady(join(folder, "receiver-1.json"));
  const [first] = cluster.receivers;
  if (ready === null || first === undefined) throw new Error("a cluster that has started has a ready file");
  return {
    ready,
    client: balancedClient(cluster, token),
    entry: openClient(first.url, token),
    entryUrls: cluster.receivers.map(({ url }) => url),
    isReplayable: false,
    output: () => cluster.nodes.map((node) => node.output()).join("\n"),
    stop: async () => {
      const codes: (number | NodeJS.Signals | null)[] = [];
      for (const group of [cluster.receivers, cluster.correlators, cluster.routers]) {
        codes.push(...(await Promise.all(group.map((node) => node.stop()))));
      }
      return codes.find((code) => code !== 0 && code !== null) ?? 0;
    },
  };
}

/** What only receivers serve; the rest is everywhere. */
const ofReceivers = /^\/(?:v1\/in|compat)\/|^\/v1\/dead-letters\/[^/]+\/retry/;

/** As a load balancer with rules by path would do. */
function balancedClient(cluster: Cluster, token: string): Client {
  const clients = (nodes: Cluster["nodes"]): Client[] => nodes.map(({ url }) => openClient(url, token));
  const receivers = clients(cluster.receivers);
  const [router] = clients(cluster.routers);
  if (router === undefined) throw new Error("a cluster has a router");
  let turn = 0;
  const ask: Client["ask"] = async (path, what) => {
    if (path === "/metrics") return await askMetrics(cluster.nodes, token);
    if (!ofReceivers.test(path)) return await router.ask(path, what);
    turn += 1;
    return await (receivers[turn % receivers.length] ?? router).ask(path, what);
  };
  return { url: router.url, ask, get: router.get };
}

/** As Prometheus would see them all together. */
async function askMetrics(nodes: Cluster["nodes"], token: string): Promise<Answer> {
  const answers = await Promise.all(nodes.map(({ url }) => openClient(url, token).ask("/metrics")));
  const [first] = answers;
  if (first === undefined) throw new Error("a cluster has nodes");
  return { ...first, text: mergeMetrics(answers.map(({ text }) => text)) };
}
