import { topics } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { Cluster } from "./cluster.ts";
import { countTopic } from "./count-topic.ts";
import { code, KafkaRefusal } from "./failures.ts";
import type { KafkaBroker } from "./kafkajs.ts";
import type { MetadataTopic } from "./requests.ts";

export function logTopicNames(prefix: string): string[] {
  return topics.map((topic) => `${prefix}${topic}`);
}

export function countTopicName(prefix: string): string {
  return `${prefix}${countTopic}`;
}

const fix = "run `winnow migrate`";

/** Throws `store_unsuitable` where topics are missing, `partitions_changed` where they have other partitions. */
export function checkTopics(found: readonly MetadataTopic[], prefix: string, partitions: number): void {
  const all = [...logTopicNames(prefix), countTopicName(prefix)];
  const byName = new Map(found.map((topic) => [topic.name, topic]));
  const missing = all.filter((name) => byName.get(name)?.errorCode === code.unknownTopicOrPartition);
  if (missing.length > 0) {
    const message = `Kafka has no topic ${missing.join(", ")}: ${fix}`;
    throw new WinnowError("store_unsuitable", message, { fields: { topics: missing.join(", ") } });
  }
  for (const name of all) {
    const topic = byName.get(name);
    if (topic === undefined) throw new KafkaRefusal(code.unknownTopicOrPartition, name);
    if (topic.errorCode !== code.none) throw new KafkaRefusal(topic.errorCode, name);
    const asked = name === countTopicName(prefix) ? 1 : partitions;
    if (topic.partitions.length !== asked) throw partitionsChanged(name, asked, topic.partitions.length);
  }
}

export function partitionsChanged(topic: string, asked: number, stored: number): WinnowError {
  const message = `topic ${topic} was made with ${stored} partitions and cannot be used with ${asked}`;
  return new WinnowError("partitions_changed", message, { fields: { topic, asked, stored } });
}

/** Topic settings by name. */
export type TopicConfig = ReadonlyMap<string, string>;

interface DescribedConfigs {
  readonly resources: readonly {
    readonly resourceName: string;
    readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
  }[];
}

const topicResource = 2;

/** Reads the topics' settings; null where we are not allowed to. Rejects with a LinkFailure or a KafkaRefusal. */
export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicConfig> | null> {
  const resources = names.map((name) => ({ type: topicResource, name }));
  const request = (broker: KafkaBroker & { describeConfigs(options: object): Promise<DescribedConfigs> }) =>
    broker.describeConfigs({ resources, includeSynonyms: false });
  try {
    const described = await cluster.anywhere((link) => link.call((broker) => request(broker as never)));
    return new Map(
      described.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue ?? ""])),
      ]),
    );
  } catch (error) {
    const denied: readonly number[] = [code.topicAuthorizationFailed, code.clusterAuthorizationFailed];
    if (error instanceof KafkaRefusal && denied.includes(error.code)) return null;
    throw error;
  }
}

/** Settings without which the log would do wrong, and the values that are right. */
const neededConfig = {
  // A record's time is the broker's, so that receivers with wrong clocks neither fire nor delay anything.
  "message.timestamp.type": ["LogAppendTime"],
  // Compaction would take records out of the middle.
  "cleanup.policy": ["delete"],
  // The others cannot be read back.
  "compression.type": ["producer", "uncompressed", "gzip"],
} as const;

/** Throws `store_unsuitable` where a topic is set up so that the log would do wrong. */
export function checkConfig(configs: ReadonlyMap<string, TopicConfig>, prefix: string): void {
  for (const name of logTopicNames(prefix)) {
    for (const [key, right] of Object.entries(neededConfig)) {
      const value = configs.get(name)?.get(key);
      if (value === undefined || (right as readonly string[]).includes(value)) continue;
      const message = `topic ${name} has ${key} ${value} instead of ${right.join(" or ")}: ${fix}`;
      throw new WinnowError("store_unsuitable", message, { fields: { topic: name, setting: key, value } });
    }
  }
}

/** The smallest `max.message.bytes` of the log's topics; null where none is known. */
export function messageBytesMaxOf(configs: ReadonlyMap<string, TopicConfig>, prefix: string): number | null {
  const all = logTopicNames(prefix).map((name) => Number(configs.get(name)?.get("max.message.bytes") ?? Number.NaN));
  const known = all.filter((bytes) => bytes > 0);
  return known.length === 0 ? null : Math.min(...known);
}
