import { type Topic, topics } from "@winnow/contracts";
import { assert, WinnowError } from "@winnow/platform";
import type { AppendRecord, CountedEvents, EventLog } from "@winnow/ports";
import type { AppendCounts } from "./appender.ts";
import { Cluster } from "./cluster.ts";
import { lastingRefusal, textOf } from "./failures.ts";
import * as options from "./options.ts";
import { openCountTopic, Partition, type Parts } from "./partition.ts";
import { persist } from "./persist.ts";
import { addressesOf, linkSettings } from "./settings.ts";
import {
  checkConfig,
  checkTopics,
  countTopicName,
  describeTopics,
  logTopicNames,
  messageBytesMaxOf,
} from "./topics.ts";

/** What an operator, a readiness check and the metrics want to know. Counts run since the log was opened. */
export interface KafkaLogHealth {
  /** False while the last request found no answer. */
  readonly reachable: boolean;
  /** Requests that no answer came to in time; each cut its connection, and the next try made a new one. */
  readonly late: number;
  /** Connections that broke while an answer was awaited. */
  readonly lost: number;
  readonly produces: number;
  readonly records: number;
  readonly written_bytes: number;
  readonly write_failures: number;
  readonly refused: { readonly queue_full: number; readonly too_large: number };
}

export interface KafkaLog extends EventLog {
  bounds: NonNullable<EventLog["bounds"]>;
  losses: NonNullable<EventLog["losses"]>;
  health(): KafkaLogHealth;
}

/**
 * Opens the log over topics that `migrateKafka` made. Rejects with WinnowError `config_invalid` (a broker's address),
 * `store_unavailable` (no broker answers), `store_unsuitable` (topics are missing or set up wrongly, the brokers are too
 * old, or refuse the credentials or a right; the message says what to do) or `partitions_changed`.
 */
export async function openKafkaLog(given: options.KafkaLogOptions): Promise<KafkaLog> {
  const prefix = given.topicPrefix ?? options.topicPrefixDefault;
  const names = [...logTopicNames(prefix), countTopicName(prefix)];
  const cluster = new Cluster(addressesOf(given.brokers), names, linkSettings(given));
  try {
    const signal = new AbortController().signal;
    const how = { clock: given.clock, ms: given.readMs ?? options.readMsDefault, signal };
    const found = await persist(how, async () => {
      const topicsFound = await cluster.topics();
      checkTopics(topicsFound, prefix, given.partitions);
      return topicsFound;
    });
    cluster.pin(found);
    const configs = await persist(how, () => describeTopics(cluster, names));
    if (configs === null) given.log.warn("the topics' settings may not be read, so they are not checked");
    else checkConfig(configs, prefix);
    const messageBytesMax = (configs && messageBytesMaxOf(configs, prefix)) ?? options.messageBytesMaxDefault;
    return new OpenKafkaLog(given, { cluster, prefix, messageBytesMax });
  } catch (error) {
    cluster.close();
    if (error instanceof WinnowError) throw error;
    const refusal = lastingRefusal(error, "to open the log", {});
    if (refusal !== null) throw new WinnowError("store_unsuitable", refusal.message, { cause: error });
    throw new WinnowError("store_unavailable", `Kafka could not be opened: ${textOf(error)}`, { cause: error });
  }
}

class OpenKafkaLog implements KafkaLog {
  readonly partitions: number;
  readonly #cluster: Cluster;
  readonly #counts: AppendCounts = {
    produces: 0,
    records: 0,
    bytes: 0,
    failures: 0,
    refusedQueueFull: 0,
    refusedTooLarge: 0,
  };
  readonly #closing = new AbortController();
  readonly #countTopic: ReturnType<typeof openCountTopic>;
  readonly #all: readonly Partition[];
  #closed: Promise<void> | null = null;

  constructor(
    given: options.KafkaLogOptions,
    found: { readonly cluster: Cluster; readonly prefix: string; readonly messageBytesMax: number },
  ) {
    this.partitions = given.partitions;
    this.#cluster = found.cluster;
    const parts: Parts = { ...found, given, counts: this.#counts, closing: this.#closing.signal };
    this.#countTopic = openCountTopic(parts, countTopicName(found.prefix));
    this.#all = topics.flatMap((topic) =>
      Array.from(
        { length: given.partitions },
        (_, partition) => new Partition(parts, { topic, partition, countTopic: this.#countTopic }),
      ),
    );
  }

  async status(topic: Topic, partition: number, counted?: CountedEvents) {
    return this.#at(topic, partition).status(counted);
  }

  async bounds(topic: Topic, partition: number) {
    return this.#at(topic, partition).bounds();
  }

  async append(topic: Topic, partition: number, records: readonly AppendRecord[]) {
    return this.#at(topic, partition).append(records);
  }

  losses(topic: Topic, partition: number) {
    return this.#place(topic, partition).losses;
  }

  async read(topic: Topic, partition: number, offset: number, maxBytes: number) {
    return this.#at(topic, partition).read(offset, maxBytes);
  }

  wait(topic: Topic, partition: number, offset: number, signal: AbortSignal) {
    return this.#place(topic, partition).wait(offset, signal);
  }

  async trim(topic: Topic, partition: number, offset: number) {
    await this.#at(topic, partition).trim(offset);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  health(): KafkaLogHealth {
    const counts = this.#counts;
    const { late, lost } = this.#cluster.counts;
    return {
      reachable: this.#cluster.isWell,
      late,
      lost,
      produces: counts.produces,
      records: counts.records,
      written_bytes: counts.bytes,
      write_failures: counts.failures,
      refused: { queue_full: counts.refusedQueueFull, too_large: counts.refusedTooLarge },
    };
  }

  async #close(): Promise<void> {
    for (const partition of this.#all) partition.stopWaiting();
    await Promise.all(this.#all.map((partition) => partition.drain()));
    this.#closing.abort();
    for (const partition of this.#all) partition.cut();
    await this.#countTopic.close();
    this.#cluster.close();
  }

  /** Throws `log_closed` once `close` was called. */
  #at(topic: Topic, partition: number): Partition {
    if (this.#closed !== null) throw new WinnowError("log_closed", "the log is closed");
    return this.#place(topic, partition);
  }

  #place(topic: Topic, partition: number): Partition {
    const found = this.#all[topics.indexOf(topic) * this.partitions + partition];
    assert(found !== undefined && partition >= 0 && partition < this.partitions, "the partition exists");
    return found;
  }
}
