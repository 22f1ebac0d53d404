import type { Logger } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import type { KafkaSasl, KafkaSsl } from "./kafkajs.ts";

export const topicPrefixDefault = "winnow.";

/** Largest record batch that a topic takes, `max.message.bytes`; `winnow migrate` sets it. */
export const messageBytesMaxDefault = 8 * 1024 * 1024;

/** What a batch adds to its records at most: 61 bytes for itself and about 90 for each record's headers. */
export const batchOverheadBytes = 1024;

/** Appends that wait for their turn, per partition; beyond it they are refused with `log_full`. */
export const pendingBytesMaxDefault = 64 * 1024 * 1024;

/** One produce takes about this much, and at least one append. */
export const groupBytesMaxDefault = 1024 * 1024;

/** TCP, TLS, login and the question for versions. */
export const connectMsDefault = 5_000;

/** A request that is not answered in this time cuts the connection. */
export const requestMsDefault = 10_000;

/** An append is tried again with the same sequence number for this long; the last try may take `requestMs` more. */
export const appendMsDefault = 30_000;

/** Reads and questions are tried again for this long, and at least once. */
export const readMsDefault = 5_000;

/** How long a broker holds back its answer while there is no new record. */
export const pollMsDefault = 2_000;

/** First and longest pause between two tries. */
export const retryMsMin = 50;
export const retryMsMax = 1_000;

/** How to reach the cluster. */
export interface KafkaConnectionOptions {
  /** `host:port` each, IPv6 in brackets; any that answers tells of all the others. */
  readonly brokers: readonly string[];
  /** As brokers see it in their logs and quotas. */
  readonly clientId?: string;
  /** true: TLS with the system's authorities; else what Node's `tls.connect` takes (`ca`, `cert`, `key`, …). */
  readonly ssl?: KafkaSsl;
  readonly sasl?: KafkaSasl;
  readonly clock: Clock;
  readonly log: Logger;
  readonly connectMs?: number;
  readonly requestMs?: number;
}

export interface KafkaTopicOptions {
  /** Before the names of all topics: `winnow.` gives `winnow.alerts`. */
  readonly topicPrefix?: string;
  /** Partitions of each topic. A change is refused. */
  readonly partitions: number;
}

export interface KafkaRetention {
  /** Records older than this may go once consumers allow it (`trim`). */
  readonly maxAgeMs: number;
}

export interface KafkaLogOptions extends KafkaConnectionOptions, KafkaTopicOptions {
  readonly retention: KafkaRetention;
  readonly appendMs?: number;
  readonly readMs?: number;
  readonly pollMs?: number;
  readonly pendingBytesMax?: number;
  readonly groupBytesMax?: number;
}
