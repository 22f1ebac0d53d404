/** Hurts a cluster under load in every way that `faults.ts` knows, and judges what is left. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Cluster, layCluster } from "../../cluster/cluster.ts";
import { clusterServers, takeNames } from "../../cluster/names.ts";
import { type ApiAccounting, openApi } from "../api.ts";
import { judge, type Verdict } from "../check.ts";
import { writeConfiguration } from "../configuration.ts";
import { type Attempt, openHistory, readHistory } from "../history.ts";
import { startLoad } from "../load.ts";
import { startMischief } from "../mischief.ts";
import { seededRandom } from "../random.ts";
import type { Scratch } from "../scratch.ts";
import { settle } from "../settle.ts";
import { storyTeller } from "../stories.ts";
import { startTicketSystem, type VendorFault } from "../ticket-system.ts";
import { type FaultKind, killTimeMs, type OwnServers, openStriker, planFaults } from "./faults.ts";

export interface ClusterChaosOptions {
  readonly seed: number;
  /** Goes on until both are reached. */
  readonly faultsMin: number;
  readonly durationMs: number;
  /** Mean time between two bodies of one sender. */
  readonly everyMs: number;
  readonly servers: OwnServers;
  readonly scratch: Scratch;
  readonly say: (line: string) => void;
}

export interface ClusterChaosReport {
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly vendorFaults: Readonly<Record<VendorFault, number>>;
  readonly attempts: Readonly<Record<Attempt["outcome"], number>>;
  readonly acknowledgedEvents: number;
  /** From the last fault's end until nothing was in flight or due; null where that took too long. */
  readonly drainMs: number | null;
  readonly verdict: Verdict;
  /** What is wrong beyond the judge's findings: processes that ended by themselves, nodes that disagree, no rest. */
  readonly troubles: readonly string[];
  /** The last lines of every process. */
  readonly output: string;
}

const pauseMs = { min: 500, max: 3_000 } as const;
const vendorTroubleEveryMs = 1_000;
/** Later than the router looks for what it may have made: whoever believes a first negative answer makes a twin. */
const vendorDelayMs = { min: 1_500, max: 4_000 } as const;
export const drainMsMax = 60_000;
/** Beyond the promise, to judge what comes late as well. */
const patienceMs = 330_000;

export async function runClusterChaos(options: ClusterChaosOptions): Promise<ClusterChaosReport> {
  const { seed, scratch, servers, say } = options;
  const random = seededRandom(seed);
  const ledgerFile = join(scratch.path, "ledger.jsonl");
  const tickets = await startTicketSystem({ ledgerFile, cacheDir: scratch.path, delayMs: vendorDelayMs });
  scratch.defer(() => tickets.stop());
  const config = join(scratch.path, "winnow.yaml");
  writeConfiguration(config, { snowUrl: tickets.url, killTimeMs });
  const names = await takeNames(clusterServers({ ...servers, unavailable: [] }));
  const cluster = await layCluster({ receivers: 2, correlators: 2, routers: 2, folder: scratch.path, config, names });
  scratch.defer(() => cluster.kill());
  await cluster.migrate();
  await cluster.start();
  const token = cluster.token;
  const history = openHistory(join(scratch.path, "history.jsonl"));
  const load = startLoad({
    url: (turn) => cluster.receivers[turn % cluster.receivers.length]?.url ?? "",
    token: () => token,
    history,
    random: random.fork("load"),
    tell: storyTeller(random.fork("stories"), Date.now()),
    everyMs: options.everyMs,
  });
  scratch.defer(() => load.abandon());
  const mischief = startMischief(tickets, random.fork("vendor"), vendorTroubleEveryMs);
  const faults = await strikeAll(options, cluster);
  const lastFaultAt = performance.now();
  const vendorFaults = await mischief.stop();
  await load.stop();
  say("the load has ended");
  const [router] = cluster.routers;
  if (router === undefined) throw new Error("a cluster has a router");
  const api = openApi(router.url, token);
  const troubles: string[] = [];
  const drainMs = await restsWithin(() => settle(api, drainMsMax), lastFaultAt, troubles);
  if (drainMs === null) await restsWithin(() => settle(api, patienceMs), lastFaultAt, troubles);
  const attempts = readHistory(history.file);
  const verdict = await judge({ history: attempts, log: null, order: "doors", api, ledger: tickets.ledger() });
  troubles.push(...cluster.nodes.flatMap(({ collapses }) => collapses));
  troubles.push(...(await disagreements(cluster, token, verdict.accounting)));
  return {
    faults,
    vendorFaults,
    attempts: countAttempts(attempts),
    acknowledgedEvents: attempts.reduce((sum, { stored }) => sum + stored, 0),
    drainMs,
    verdict,
    troubles,
    output: cluster.output(),
  };
}

async function strikeAll(options: ClusterChaosOptions, cluster: Cluster): Promise<ClusterChaosReport["faults"]> {
  const { seed, servers, say, faultsMin, durationMs } = options;
  const random = seededRandom(seed).fork("faults");
  const started = performance.now();
  const told = (line: string): void => say(`${((performance.now() - started) / 1_000).toFixed(1)} s: ${line}`);
  const striker = openStriker({ cluster, servers, random: random.fork("strikes"), say: told });
  let struck = 0;
  for (const kind of planFaults(random.fork("plan"))) {
    await pause(random.between(pauseMs.min, pauseMs.max));
    await striker.strike(kind);
    struck += 1;
    if (struck >= faultsMin && performance.now() - started >= durationMs) break;
  }
  await striker.healed();
  return striker.counts();
}

/** Null, and a trouble more, where `rest` fails. */
async function restsWithin(rest: () => Promise<void>, since: number, troubles: string[]): Promise<number | null> {
  try {
    await rest();
    return Math.round(performance.now() - since);
  } catch (error) {
    troubles.push(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/** Every node counts the same. */
async function disagreements(cluster: Cluster, token: string, counted: ApiAccounting): Promise<string[]> {
  const expected = JSON.stringify(counted);
  const said = await Promise.all(
    cluster.nodes.map(async ({ name, url }) => {
      const { value } = await openApi(url, token).get<ApiAccounting>("/v1/accounting");
      return { name, text: JSON.stringify(value) };
    }),
  );
  return said
    .filter(({ text }) => text !== expected)
    .map(({ name, text }) => `${name} counts ${text}, not ${expected}`);
}

function countAttempts(attempts: readonly Attempt[]): ClusterChaosReport["attempts"] {
  const count = (outcome: Attempt["outcome"]): number => attempts.filter((one) => one.outcome === outcome).length;
  return {
    acked: count("acked"),
    refused: count("refused"),
    indeterminate: count("indeterminate"),
    unreachable: count("unreachable"),
  };
}
