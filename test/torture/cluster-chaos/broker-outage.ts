/** The broker is down for a while under a steady load: receivers keep what they acknowledge, and nobody is refused. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { layCluster } from "../../cluster/cluster.ts";
import { clusterServers, takeNames } from "../../cluster/names.ts";
import { openApi } from "../api.ts";
import { judge, type Verdict } from "../check.ts";
import { writeConfiguration } from "../configuration.ts";
import { type Attempt, openHistory, readHistory } from "../history.ts";
import { seededRandom } from "../random.ts";
import type { Scratch } from "../scratch.ts";
import { settle } from "../settle.ts";
import { startSteadyLoad } from "../steady-load.ts";
import { storyTeller } from "../stories.ts";
import { startTicketSystem } from "../ticket-system.ts";
import type { OwnServers } from "./faults.ts";

export interface BrokerOutageOptions {
  readonly seed: number;
  readonly downMs: number;
  readonly alertsPerS: number;
  readonly servers: OwnServers;
  readonly scratch: Scratch;
  readonly say: (line: string) => void;
}

export interface BrokerOutageReport {
  readonly attempts: number;
  /** Attempts that were not acknowledged. */
  readonly refused: readonly Attempt[];
  /** Alerts acknowledged while the broker was down. */
  readonly keptAlerts: number;
  readonly ackMs: { readonly before: Quantiles; readonly meanwhile: Quantiles };
  /** From the broker's return until nothing was in flight or due. */
  readonly drainMs: number;
  readonly verdict: Verdict;
  readonly troubles: readonly string[];
  readonly output: string;
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

const beforeMs = 8_000;
const afterMs = 4_000;
const batch = 10;
const restMs = 300_000;

export async function runBrokerOutage(options: BrokerOutageOptions): Promise<BrokerOutageReport> {
  const { scratch, servers, say } = options;
  const random = seededRandom(options.seed);
  const tickets = await startTicketSystem({ ledgerFile: join(scratch.path, "ledger.jsonl"), cacheDir: scratch.path });
  scratch.defer(() => tickets.stop());
  const config = join(scratch.path, "winnow.yaml");
  writeConfiguration(config, { snowUrl: tickets.url });
  const names = await takeNames(clusterServers({ ...servers, unavailable: [] }));
  const cluster = await layCluster({ receivers: 2, correlators: 1, routers: 1, folder: scratch.path, config, names });
  scratch.defer(() => cluster.kill());
  await cluster.migrate();
  await cluster.start();
  const history = openHistory(join(scratch.path, "history.jsonl"));
  const load = startSteadyLoad({
    doors: cluster.receivers.map(({ url }) => url),
    token: cluster.token,
    history,
    random: random.fork("load"),
    tell: storyTeller(random.fork("stories"), Date.now()),
    alertsPerS: options.alertsPerS,
    batch,
  });
  scratch.defer(() => load.abandon());
  await pause(beforeMs);
  await servers.kafka.controls?.kill9();
  const downAt = Date.now();
  say(`Kafka is down for ${options.downMs} ms`);
  await pause(options.downMs);
  const upAt = Date.now();
  await servers.kafka.controls?.start();
  const returned = performance.now();
  say("Kafka is back");
  await pause(afterMs);
  await load.stop();
  const api = openApi(cluster.routers[0]?.url ?? "", cluster.token);
  await settle(api, restMs);
  const drainMs = Math.round(performance.now() - returned);
  const attempts = readHistory(history.file);
  const verdict = await judge({ history: attempts, log: null, order: "doors", api, ledger: tickets.ledger() });
  const meanwhile = attempts.filter(({ t, ms }) => t - ms >= downAt && t <= upAt);
  return {
    attempts: attempts.length,
    refused: attempts.filter(({ outcome }) => outcome !== "acked"),
    keptAlerts: meanwhile.reduce((sum, { stored }) => sum + stored, 0),
    ackMs: { before: quantiles(attempts.filter(({ t }) => t < downAt)), meanwhile: quantiles(meanwhile) },
    drainMs,
    verdict,
    troubles: cluster.nodes.flatMap(({ collapses }) => collapses),
    output: cluster.output(),
  };
}

function quantiles(attempts: readonly Attempt[]): Quantiles {
  const times = attempts.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
