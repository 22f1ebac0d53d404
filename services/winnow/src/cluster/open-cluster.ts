import { joinPartitionGroup, type KafkaLog, openKafkaLog } from "@winnow/adapters/log-kafka";
import { openPostgresIncidentStore, type PostgresStore } from "@winnow/adapters/store-postgres";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { type Config, fieldsFirst, hasCode, type Logger, type Shutdown, WinnowError } from "@winnow/platform";
import type { Clock, JoinStage, WindowStore } from "@winnow/ports";
import type { Combination } from "../assembly/combination.ts";
import { kafkaAddressOf, kafkaConnectionOf } from "./kafka-address.ts";
import { latePort } from "./late-port.ts";

export type ClusterAddresses = Extract<Combination, { readonly kind: "cluster" }>;

/** The servers that the nodes of a cluster share. */
export interface ClusterStores {
  readonly log: KafkaLog;
  readonly windows: WindowStore;
  readonly store: PostgresStore;
  readonly join: JoinStage;
}

export interface OpenParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  /** Ends the waiting for servers that do not answer. */
  readonly signal: AbortSignal;
}

/** Pause before a server that does not answer is asked again; ms. */
const againMs = 1_000;
const closeMs = 10_000;

/**
 * Opens Kafka, Redis and Postgres, each closed by the shutdown; one that does not answer is waited for.
 * Rejects with the adapters' WinnowErrors for anything that waiting does not mend.
 */
export async function openCluster(config: Config, at: ClusterAddresses, parts: OpenParts): Promise<ClusterStores> {
  const { clock, shutdown } = parts;
  const log = fieldsFirst(parts.logger);
  const { partitions } = config;
  const store = await patiently("Postgres", parts, () => openPostgresIncidentStore({ url: at.store, partitions, log }));
  shutdown.add({ name: "incident store", timeoutMs: closeMs, stop: async () => store.close() });
  const { url, prefix } = redisAddressOf(at.windows);
  const windows = await patiently("Redis", parts, () => openRedisWindowStore({ url, partitions, log, ...prefix }));
  shutdown.add({ name: "window store", timeoutMs: closeMs, stop: async () => windows.close() });
  const address = kafkaAddressOf(at.log);
  const connection = { ...kafkaConnectionOf(address), clock, log: parts.logger };
  const { topicPrefix } = address;
  const retention = { maxAgeMs: config.retention.log.max_age };
  const kafka = await patiently("Kafka", parts, () =>
    openKafkaLog({ ...connection, topicPrefix, partitions, retention }),
  );
  shutdown.add({ name: "log", timeoutMs: closeMs, stop: async () => kafka.close() });
  const join: JoinStage = (stage, handlers) =>
    joinPartitionGroup({ ...connection, groupId: `${topicPrefix}stage-${stage}`, partitions, ...handlers });
  return { log: kafka, windows, store, join };
}

/** How long a start waits before it goes on without the servers; ms. */
const soonMs = 3_000;

/** The same, but a server that does not answer soon is waited for in the background; calls until then reject. */
export async function openClusterSoon(config: Config, at: ClusterAddresses, parts: OpenParts): Promise<ClusterStores> {
  const opening = openCluster(config, at, parts);
  const isOpen = await Promise.race([opening.then(() => true), parts.clock.sleep(soonMs).then(() => false)]);
  if (isOpen) return opening;
  opening.then(
    () => {
      parts.logger.info("the cluster's servers answer now");
    },
    (error: unknown) => {
      if (!parts.signal.aborted) parts.logger.error("the cluster's servers cannot be used", { error });
    },
  );
  const { partitions } = config;
  const unreachable = { ...noHealth, reachable: false };
  return {
    log: latePort(
      "Kafka",
      opening.then(({ log }) => log),
      { partitions, health: () => unreachable },
    ),
    windows: latePort(
      "Redis",
      opening.then(({ windows }) => windows),
    ),
    store: latePort(
      "Postgres",
      opening.then(({ store }) => store),
    ),
    join: () => {
      throw new Error("a receiver shares no partitions");
    },
  };
}

const noHealth = {
  late: 0,
  lost: 0,
  produces: 0,
  records: 0,
  written_bytes: 0,
  write_failures: 0,
  refused: { queue_full: 0, too_large: 0 },
};

/** `prefix` is ours; the rest is Redis' own. */
function redisAddressOf(text: string): { readonly url: string; readonly prefix: { readonly prefix?: string } } {
  if (!URL.canParse(text)) throw new WinnowError("config_invalid", "the address of the windows is not a URL");
  const url = new URL(text);
  const prefix = url.searchParams.get("prefix");
  url.searchParams.delete("prefix");
  return { url: url.href, prefix: prefix === null ? {} : { prefix } };
}

/** Nodes are started together with their servers: one that does not answer yet is no reason to end. */
async function patiently<Opened>(
  name: string,
  { clock, logger, signal }: OpenParts,
  open: () => Promise<Opened>,
): Promise<Opened> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      if (!hasCode(error, "store_unavailable") || signal.aborted) throw error;
      if (tries === 0) logger.warn(`${name} does not answer; waiting for it`, { error });
      await clock.sleep(againMs, signal);
    }
  }
}
