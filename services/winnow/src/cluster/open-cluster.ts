import { joinPartitionGroup, type KafkaLog, type KafkaLogHealth, openKafkaLog } from "@winnow/adapters/log-kafka";
import { openPostgresIncidentStore, type PostgresStore } from "@winnow/adapters/store-postgres";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { type Config, fieldsFirst, type Logger, type Shutdown, WinnowError } from "@winnow/platform";
import type { Clock, JoinStage, WindowStore } from "@winnow/ports";
import type { Combination } from "../assembly/combination.ts";
import { kafkaAddressOf, kafkaConnectionOf } from "./kafka-address.ts";
import { latePort } from "./late-port.ts";
import { patiently } from "./patiently.ts";

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

const closeMs = 10_000;
/** How long the start of a receiver waits before it goes on without the servers; ms. */
const soonMs = 3_000;

/**
 * Opens Kafka, Redis and Postgres, each closed by the shutdown; one that does not answer is waited for.
 * Rejects with the adapters' WinnowErrors for anything that waiting does not mend.
 */
export async function openCluster(config: Config, at: ClusterAddresses, parts: OpenParts): Promise<ClusterStores> {
  const begun = begin(config, at, { ...parts, isForgiving: () => false });
  const [store, windows, log] = await Promise.all([begun.store, begun.windows, begun.log]);
  return { store, windows, log, join: begun.join };
}

/**
 * The same, but after a while it goes on without servers that cannot be used yet, whatever the reason: they are tried in
 * the background until they can, each by itself, and calls until then reject.
 */
export async function openClusterSoon(config: Config, at: ClusterAddresses, parts: OpenParts): Promise<ClusterStores> {
  let isLate = false;
  const begun = begin(config, at, { ...parts, isForgiving: () => isLate });
  const all = Promise.all([begun.store, begun.windows, begun.log]);
  const waited = new AbortController();
  try {
    await Promise.race([all, parts.clock.sleep(soonMs, waited.signal)]);
  } finally {
    waited.abort();
  }
  isLate = true;
  all.catch(() => {
    // The shutdown has ended the waiting.
  });
  return {
    log: latePort("Kafka", begun.log, { partitions: config.partitions, health: () => unheard, losses: () => 0 }),
    windows: latePort("Redis", begun.windows),
    store: latePort("Postgres", begun.store),
    join: begun.join,
  };
}

const unheard: KafkaLogHealth = {
  reachable: false,
  late: 0,
  lost: 0,
  produces: 0,
  records: 0,
  written_bytes: 0,
  write_failures: 0,
  refused: { queue_full: 0, too_large: 0 },
};

interface Begun {
  readonly store: Promise<PostgresStore>;
  readonly windows: Promise<WindowStore>;
  readonly log: Promise<KafkaLog>;
  readonly join: JoinStage;
}

/** Starts opening all three. None depends on another. */
function begin(
  config: Config,
  at: ClusterAddresses,
  parts: OpenParts & { readonly isForgiving: () => boolean },
): Begun {
  const { clock, logger } = parts;
  const { partitions } = config;
  const address = kafkaAddressOf(at.log);
  const connection = { ...kafkaConnectionOf(address), clock, log: logger };
  const { topicPrefix } = address;
  const retention = { maxAgeMs: config.retention.log.max_age };
  const { url, prefix } = redisAddressOf(at.windows);
  const log = fieldsFirst(logger);
  return {
    store: beginOne("Postgres", parts, () => openPostgresIncidentStore({ url: at.store, partitions, log })),
    windows: beginOne("Redis", parts, () => openRedisWindowStore({ url, partitions, log, ...prefix })),
    log: beginOne("Kafka", parts, () => openKafkaLog({ ...connection, topicPrefix, partitions, retention })),
    join: (stage, handlers) =>
      joinPartitionGroup({ ...connection, groupId: `${topicPrefix}stage-${stage}`, partitions, ...handlers }),
  };
}

/** The shutdown knows of it before it is open: what opens late is still closed in its turn, behind what uses it. */
function beginOne<Port extends { close(): Promise<void> }>(
  name: string,
  parts: OpenParts & { readonly isForgiving: () => boolean },
  open: () => Promise<Port>,
): Promise<Port> {
  const ending = new AbortController();
  const opening = patiently(name, { ...parts, signal: AbortSignal.any([parts.signal, ending.signal]) }, open);
  const stop = async (): Promise<void> => {
    ending.abort();
    const opened = await opening.catch(() => null);
    await opened?.close();
  };
  parts.shutdown.add({ name, timeoutMs: closeMs, stop });
  return opening;
}

/** `prefix` is ours; the rest is Redis' own. */
function redisAddressOf(text: string): { readonly url: string; readonly prefix: { readonly prefix?: string } } {
  if (!URL.canParse(text)) throw new WinnowError("config_invalid", "the address of the windows is not a URL");
  const url = new URL(text);
  const prefix = url.searchParams.get("prefix");
  url.searchParams.delete("prefix");
  return { url: url.href, prefix: prefix === null ? {} : { prefix } };
}
