export type { KafkaSasl, KafkaSsl } from "./kafkajs.ts";
export { type KafkaLog, type KafkaLogHealth, openKafkaLog } from "./log.ts";
export { type MigrateKafkaOptions, type MigrateKafkaReport, migrateKafka } from "./migrate.ts";
export type {
  KafkaConnectionOptions,
  KafkaLogOptions,
  KafkaRetention,
  KafkaTopicOptions,
} from "./options.ts";
export { joinPartitionGroup, type PartitionGroup, type PartitionGroupOptions } from "./partition-group.ts";
