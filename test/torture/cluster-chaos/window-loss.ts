/** Redis loses everything under load: the cluster must come to the state of a run that lost nothing. */
import { writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "@winnow/devservers";
import { type Cluster, layCluster } from "../../cluster/cluster.ts";
import { differences, type StateDigest, stateDigest } from "../../cluster/digest.ts";
import { clusterServers, takeNames } from "../../cluster/names.ts";
import { type Api, type ApiAccounting, openApi } from "../api.ts";
import { post } from "../post.ts";
import { startProduct } from "../product.ts";
import { seededRandom } from "../random.ts";
import type { Scratch } from "../scratch.ts";
import type { OwnServers } from "./faults.ts";
import { type Body, type WindowLoads, windowLoads } from "./window-loads.ts";

export interface WindowLossOptions {
  readonly seed: number;
  /** Open before anything is lost. */
  readonly alerts: number;
  readonly servers: OwnServers;
  readonly scratch: Scratch;
  readonly say: (line: string) => void;
}

export interface WindowLossReport {
  readonly control: StateDigest;
  readonly found: StateDigest;
  /** From the loss until the state was that of the control run; null where it was not in time. */
  readonly recoveredMs: number | null;
  /** Lines in which both differ in the end. */
  readonly differences: readonly string[];
  /** Answers other than a 2xx. */
  readonly refused: number;
  readonly troubles: readonly string[];
  readonly output: string;
}

const configuration = `version: 1
log_level: warn
sources:
  alertmanager: { type: alertmanager }
rules:
  - id: per-service
    group_by: [service]
    window: { type: until_resolved, max_age: 24h, max_alerts: 100000, reopen: 24h }
    hold: 1h
    incident: { title: "{{service}}" }
`;

export const recoveredMsMax = 60_000;
const openingBatch = 50;
const followingBatch = 20;
/** Of both doors together. */
const followingPerS = 20;
/** A checkpoint is made every 30 s; the loss comes between two of them. */
const followingMs = { before: 35_000, after: 12_000 } as const;
const restMs = 600_000;
const doors = 2;

export async function runWindowLoss(options: WindowLossOptions): Promise<WindowLossReport> {
  const { seed, alerts, scratch, say } = options;
  const config = join(scratch.path, "winnow.yaml");
  writeFileSync(config, configuration);
  // Both runs are told the same, so both begin with the same seed and the same time.
  const beginningMs = Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000;
  const loads = (): WindowLoads => windowLoads(seededRandom(seed), doors, beginningMs);
  const control = await controlRun(loads(), { alerts, config, scratch });
  say(`the control run: ${control.alerts} alerts, ${control.incidents} incidents`);
  const cluster = await startCluster(options, config);
  const api = openApi(cluster.routers[0]?.url ?? "", cluster.token);
  const urls = cluster.receivers.map(({ url }) => url);
  const sender = openSender(urls, cluster.token);
  scratch.defer(() => sender.close());
  const load = loads();
  await sender.send(load.opening(alerts, openingBatch), null);
  await settled(api);
  say("all alerts are open");
  const [before, after] = [followingBodies("before"), followingBodies("after")];
  const bodies = load.following(before + after, followingBatch);
  await sender.send(bodies.slice(0, before), followingPerS);
  const lostAt = performance.now();
  await options.servers.redis.controls?.flushAll();
  say("FLUSHALL");
  await sender.send(bodies.slice(before), followingPerS);
  const { found, recoveredMs } = await recovered(api, control, lostAt);
  return {
    control,
    found,
    recoveredMs,
    differences: differences(control, found),
    refused: sender.refused(),
    troubles: cluster.nodes.flatMap(({ collapses }) => collapses),
    output: cluster.output(),
  };
}

function followingBodies(part: keyof typeof followingMs): number {
  return (followingMs[part] / 1_000) * followingPerS;
}

/** The same alerts at one process that loses nothing. */
async function controlRun(
  loads: WindowLoads,
  at: { readonly alerts: number; readonly config: string; readonly scratch: Scratch },
): Promise<StateDigest> {
  const { config, scratch } = at;
  const product = startProduct({
    config,
    dataDir: join(scratch.path, "control"),
    readyFile: join(scratch.path, "control.json"),
    port: await freePort(),
    cacheDir: scratch.path,
  });
  scratch.defer(() => product.kill());
  const { url, token } = await product.ready;
  const sender = openSender([url], token);
  const following = followingBodies("before") + followingBodies("after");
  await sender.send([...loads.opening(at.alerts, openingBatch), ...loads.following(following, followingBatch)], null);
  const api = openApi(url, token);
  await settled(api);
  const digest = await stateDigest(api);
  sender.close();
  await product.stop();
  if (sender.refused() > 0) throw new Error(`the control run refused ${sender.refused()} requests`);
  return digest;
}

async function startCluster({ servers, scratch }: WindowLossOptions, config: string): Promise<Cluster> {
  const names = await takeNames(clusterServers({ ...servers, unavailable: [] }));
  const folder = scratch.path;
  const cluster = await layCluster({ receivers: doors, correlators: 2, routers: 1, folder, config, names });
  scratch.defer(() => cluster.kill());
  await cluster.migrate();
  await cluster.start();
  return cluster;
}

interface Sender {
  /** One after the other at each door; `perS` bodies a second in all, or as fast as they are taken. */
  send(bodies: readonly Body[], perS: number | null): Promise<void>;
  refused(): number;
  close(): void;
}

function openSender(urls: readonly string[], token: string): Sender {
  const agent = new Agent({ keepAlive: true });
  let refused = 0;
  const sendAll = async (url: string, bodies: readonly Body[], everyMs: number): Promise<void> => {
    const started = performance.now();
    for (const [at, { text }] of bodies.entries()) {
      const early = started + at * everyMs - performance.now();
      if (early > 0) await pause(early);
      const body = { contentType: "application/json", text };
      const { outcome } = await post(`${url}/v1/in/alertmanager`, { token, body, agent });
      if (outcome !== "acked") refused += 1;
    }
  };
  return {
    send: async (bodies, perS) => {
      const everyMs = perS === null ? 0 : (1_000 * urls.length) / perS;
      const at = (door: number): readonly Body[] => bodies.filter((body) => body.door % urls.length === door);
      await Promise.all(urls.map((url, door) => sendAll(url, at(door), everyMs)));
    },
    refused: () => refused,
    close: () => agent.destroy(),
  };
}

async function settled(api: Api): Promise<void> {
  const end = performance.now() + restMs;
  for (;;) {
    const { value } = await api.get<ApiAccounting>("/v1/accounting");
    if (value.in_flight === 0) return;
    if (performance.now() > end) throw new Error(`${value.in_flight} events in flight after ${restMs} ms`);
    await pause(250);
  }
}

/** Looks again and again until the state is the wanted one, or time is up. */
async function recovered(
  api: Api,
  control: StateDigest,
  lostAt: number,
): Promise<{ readonly found: StateDigest; readonly recoveredMs: number | null }> {
  for (;;) {
    const { value } = await api.get<ApiAccounting>("/v1/accounting");
    const ms = Math.round(performance.now() - lostAt);
    const isOver = ms > recoveredMsMax;
    if (value.in_flight > 0 && !isOver) {
      await pause(250);
      continue;
    }
    const found = await stateDigest(api);
    if (found.sha256 === control.sha256) return { found, recoveredMs: isOver ? null : ms };
    if (isOver) return { found, recoveredMs: null };
    await pause(500);
  }
}
