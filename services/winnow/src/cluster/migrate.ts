import { migrateKafka } from "@winnow/adapters/log-kafka";
import { migratePostgres } from "@winnow/adapters/store-postgres";
import { type Config, fieldsFirst, type Logger } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import { kafkaAddressOf, kafkaConnectionOf } from "./kafka-address.ts";
import type { ClusterAddresses } from "./open-cluster.ts";

/** What `winnow migrate` did, in words. */
export async function migrateCluster(
  config: Config,
  at: ClusterAddresses,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<readonly string[]> {
  const address = kafkaAddressOf(at.log);
  const { created, changed } = await migrateKafka({
    ...kafkaConnectionOf(address),
    clock: parts.clock,
    log: parts.logger,
    topicPrefix: address.topicPrefix,
    partitions: config.partitions,
    retention: { maxAgeMs: config.retention.log.max_age },
    ...(address.replication === null
      ? {}
      : { replicationFactor: address.replication, minInsyncReplicas: Math.max(1, address.replication - 1) }),
  });
  return [
    ...created.map((topic) => `Kafka: topic ${topic} made`),
    ...changed.map(({ topic, setting, from, to }) => `Kafka: topic ${topic}: ${setting} changed from ${from} to ${to}`),
    ...(await migrateStore(at.store, parts)),
  ];
}

/** The same for Postgres alone. */
export async function migrateStore(url: string, parts: { readonly logger: Logger }): Promise<readonly string[]> {
  const { from, to } = await migratePostgres({ url, log: fieldsFirst(parts.logger) });
  return from === to ? [] : [`Postgres: schema brought from version ${from} to ${to}`];
}
