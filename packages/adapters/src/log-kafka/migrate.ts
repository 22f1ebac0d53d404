import { WinnowError } from "@winnow/platform";
import kafkajs, { type Admin, Kafka, type KafkaConfig } from "kafkajs";
import { Cluster } from "./cluster.ts";
import { code, KafkaRefusal, textOf } from "./failures.ts";
import { kafkajsInternals, kafkajsLogLevel, quietLogCreator } from "./kafkajs.ts";
import * as options from "./options.ts";
import { persist } from "./persist.ts";
import { addressesOf, linkSettings } from "./settings.ts";
import { countTopicName, describeTopics, logTopicNames, partitionsChanged } from "./topics.ts";

export interface MigrateKafkaOptions extends options.KafkaConnectionOptions, options.KafkaTopicOptions {
  /** Copies of each partition; 3 unless given. For new topics alone: copies of old ones are moved with Kafka's tools. */
  readonly replicationFactor?: number;
  /** Copies that must have a record before it is acknowledged; one less than there are copies unless given. */
  readonly minInsyncReplicas?: number;
  /** Largest record batch, `max.message.bytes`. */
  readonly messageBytesMax?: number;
  readonly retention: options.KafkaRetention & {
    /**
     * Beyond this many bytes of a partition Kafka removes its oldest segments, whether they were processed or not; a
     * partition that loses what it has not read stops with `log_offset_trimmed`. Unlimited unless given.
     */
    readonly partitionBytesMax?: number;
  };
}

export interface MigrateKafkaReport {
  readonly created: readonly string[];
  readonly changed: readonly {
    readonly topic: string;
    readonly setting: string;
    readonly from: string;
    readonly to: string;
  }[];
}

/** Kafka frees space by whole segments: one is closed after an eighth of the age, within these bounds. */
const segmentMsMin = 3_600_000;
const segmentMsMax = 7 * 86_400_000;

/** New topics must be known to all brokers before anybody uses them. */
const visibleMs = 30_000;

/**
 * Makes the topics that are missing and mends the settings of those that are there. Running it twice changes nothing.
 * Rejects with WinnowError `partitions_changed`, `config_invalid`, `store_unsuitable` or `store_unavailable`.
 */
export async function migrateKafka(given: MigrateKafkaOptions): Promise<MigrateKafkaReport> {
  const prefix = given.topicPrefix ?? options.topicPrefixDefault;
  const wanted = wantedTopics(given, prefix);
  const cluster = new Cluster(addressesOf(given.brokers), [...wanted.keys()], linkSettings(given));
  const admin = new Kafka(kafkaConfig(given)).admin();
  try {
    const signal = new AbortController().signal;
    const found = await persist({ clock: given.clock, ms: options.readMsDefault, signal }, () => cluster.topics());
    const there = found.filter((topic) => topic.errorCode === code.none);
    for (const { name, partitions } of there) {
      const asked = wanted.get(name)?.partitions ?? 0;
      if (partitions.length !== asked) throw partitionsChanged(name, asked, partitions.length);
    }
    await admin.connect();
    const names = new Set(there.map((topic) => topic.name));
    const created = await createTopics(admin, new Map([...wanted].filter(([name]) => !names.has(name))), given);
    const changed = await mendTopics(admin, new Map([...wanted].filter(([name]) => names.has(name))));
    await untilVisible(cluster, wanted, given);
    return { created, changed };
  } catch (error) {
    throw migrateError(error, copiesOf(given));
  } finally {
    cluster.close();
    await admin.disconnect().catch(() => {});
  }
}

interface WantedTopic {
  readonly partitions: number;
  readonly config: ReadonlyMap<string, string>;
}

function wantedTopics(given: MigrateKafkaOptions, prefix: string): ReadonlyMap<string, WantedTopic> {
  const replicas = copiesOf(given);
  const shared = {
    "min.insync.replicas": String(given.minInsyncReplicas ?? Math.max(1, replicas - 1)),
    "unclean.leader.election.enable": "false",
    "compression.type": "producer",
  };
  const segmentMs = Math.min(Math.max(given.retention.maxAgeMs / 8, segmentMsMin), segmentMsMax);
  const log = {
    ...shared,
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": String(given.messageBytesMax ?? options.messageBytesMaxDefault),
    // The log lets records go by itself, below what was processed; Kafka knows nothing of that.
    "retention.ms": "-1",
    "retention.bytes": String(given.retention.partitionBytesMax ?? -1),
    "segment.ms": String(Math.round(segmentMs)),
  };
  const counts = { ...shared, "cleanup.policy": "compact" };
  const topic = (partitions: number, config: Readonly<Record<string, string>>): WantedTopic => ({
    partitions,
    config: new Map(Object.entries(config)),
  });
  return new Map([
    ...logTopicNames(prefix).map((name) => [name, topic(given.partitions, log)] as const),
    [countTopicName(prefix), topic(1, counts)],
  ]);
}

async function createTopics(
  admin: Admin,
  missing: ReadonlyMap<string, WantedTopic>,
  given: MigrateKafkaOptions,
): Promise<readonly string[]> {
  if (missing.size === 0) return [];
  await admin.createTopics({
    // kafkajs gives up where a broker has not heard of the topic yet.
    waitForLeaders: false,
    topics: [...missing].map(([topic, { partitions, config }]) => ({
      topic,
      numPartitions: partitions,
      replicationFactor: copiesOf(given),
      configEntries: [...config].map(([name, value]) => ({ name, value })),
    })),
  });
  return [...missing.keys()];
}

/** Settings that differ are set; those that others have set stay, since Kafka replaces them all together. */
async function mendTopics(
  admin: Admin,
  there: ReadonlyMap<string, WantedTopic>,
): Promise<MigrateKafkaReport["changed"]> {
  if (there.size === 0) return [];
  const { resources } = await admin.describeConfigs({
    resources: [...there.keys()].map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
    includeSynonyms: false,
  });
  const changed: MigrateKafkaReport["changed"][number][] = [];
  for (const { resourceName: topic, configEntries } of resources) {
    const wanted = there.get(topic)?.config ?? new Map<string, string>();
    const found = new Map(configEntries.map((entry) => [entry.configName, entry.configValue]));
    const own = configEntries.filter((entry) => !entry.isDefault && !entry.readOnly);
    const changes = [...wanted].filter(([setting, value]) => found.get(setting) !== value);
    if (changes.length === 0) continue;
    const all = new Map([...own.map((entry) => [entry.configName, entry.configValue] as const), ...changes]);
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [...all].map(([name, value]) => ({ name, value })),
        },
      ],
    });
    for (const [setting, to] of changes) changed.push({ topic, setting, from: found.get(setting) ?? "", to });
  }
  return changed;
}

/** Asks until every partition has a leader and every setting its value: brokers hear of both a little later. */
async function untilVisible(
  cluster: Cluster,
  wanted: ReadonlyMap<string, WantedTopic>,
  given: MigrateKafkaOptions,
): Promise<void> {
  const signal = new AbortController().signal;
  await persist({ clock: given.clock, ms: visibleMs, signal }, async () => {
    await cluster.topics();
    for (const [name, { partitions }] of wanted)
      for (let partition = 0; partition < partitions; partition += 1) await cluster.place(name, partition);
    const configs = await describeTopics(cluster, [...wanted.keys()]);
    for (const [name, { config }] of wanted) {
      const late = [...config].find(([setting, value]) => configs?.get(name)?.get(setting) !== value);
      if (late !== undefined) throw new KafkaRefusal(code.leaderNotAvailable, `${name} has not taken ${late[0]} yet`);
    }
  });
}

/** kafkajs' own retries stay short: what fails here is told to a person who waits. */
function kafkaConfig(given: options.KafkaConnectionOptions): KafkaConfig {
  kafkajsInternals();
  const settings = linkSettings(given);
  return {
    brokers: [...given.brokers],
    clientId: settings.clientId,
    connectionTimeout: settings.connectMs,
    authenticationTimeout: settings.connectMs,
    requestTimeout: settings.requestMs,
    logLevel: kafkajsLogLevel,
    logCreator: quietLogCreator(given.log),
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    ...(given.ssl === undefined ? {} : { ssl: given.ssl }),
    ...(settings.sasl === null ? {} : { sasl: settings.sasl }),
  };
}

function copiesOf(given: MigrateKafkaOptions): number {
  return given.replicationFactor ?? 3;
}

function migrateError(error: unknown, copies: number): WinnowError {
  if (error instanceof WinnowError) return error;
  const inner = (error as { errors?: readonly unknown[] }).errors ?? [error];
  if (inner.some((one) => (one as { type?: unknown }).type === "INVALID_REPLICATION_FACTOR")) {
    const message = `the cluster has fewer brokers than the ${copies} copies that each topic shall have: ask for fewer, with replication=1 in the log's URL for a single broker`;
    return new WinnowError("config_invalid", message, { cause: error, fields: { copies } });
  }
  const text = inner.map(textOf).join("; ");
  return new WinnowError("store_unavailable", `the topics could not be made: ${text}`, { cause: error });
}
