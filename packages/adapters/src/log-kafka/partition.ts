import type { Topic } from "@winnow/contracts";
import { assert } from "@winnow/platform";
import type { AppendRecord, CountedEvents, PartitionBounds, PartitionStatus, StoredRecord } from "@winnow/ports";
import { type AppendCounts, Appender } from "./appender.ts";
import type { Cluster } from "./cluster.ts";
import { CountTopic } from "./count-topic.ts";
import { Ends } from "./ends.ts";
import { EventCount } from "./event-count.ts";
import { textOf } from "./failures.ts";
import { Fetcher } from "./fetcher.ts";
import * as options from "./options.ts";
import { Reader } from "./reader.ts";
import { Tail } from "./tail.ts";

/** What all partitions of an open log share. */
export interface Parts {
  readonly given: options.KafkaLogOptions;
  readonly cluster: Cluster;
  readonly prefix: string;
  readonly messageBytesMax: number;
  readonly counts: AppendCounts;
  /** Aborted when nothing is waited for any more. */
  readonly closing: AbortSignal;
}

/** Only receivers' records hold accepted events, and they go to this topic alone. */
const countedTopic: Topic = "alerts";

const countBytes = 4 * 1024 * 1024;

/** A count that went on is stored about this often, so that a restart need not read far back. */
const storeCountMs = 30_000;

/** Trims are asked for every few seconds; removing is worth it only in steps of this part of the age. */
const trimSteps = 64;

/** One partition of one topic: appending, reading, waiting and counting, over connections of their own. */
export class Partition {
  readonly #parts: Parts;
  readonly #topic: Topic;
  readonly #name: string;
  readonly #partition: number;
  readonly #ends = new Ends();
  readonly #fetcher: Fetcher;
  readonly #tailFetcher: Fetcher;
  readonly #countFetcher: Fetcher;
  readonly #reader: Reader;
  readonly #tail: Tail;
  readonly #appender: Appender;
  readonly #count: EventCount | null;
  #trimmedAt = Number.NEGATIVE_INFINITY;
  #storedCountAt: number;

  constructor(
    parts: Parts,
    at: { readonly topic: Topic; readonly partition: number; readonly countTopic: CountTopic },
  ) {
    this.#parts = parts;
    this.#topic = at.topic;
    this.#partition = at.partition;
    this.#name = `${parts.prefix}${at.topic}`;
    this.#storedCountAt = parts.given.clock.monotonic();
    const place = { topic: this.#name, partition: at.partition };
    this.#fetcher = fetcherOf(parts, place);
    this.#tailFetcher = fetcherOf(parts, place);
    this.#countFetcher = fetcherOf(parts, place);
    this.#appender = appenderOf(parts, place, this.#ends);
    this.#count = at.topic === countedTopic ? this.#countIn(at.countTopic) : null;
    this.#reader = new Reader({
      ...place,
      fetcher: this.#fetcher,
      ends: this.#ends,
      passed: (from, chunk) => this.#count?.passed(from, chunk),
    });
    this.#tail = new Tail({
      fetcher: this.#tailFetcher,
      ends: this.#ends,
      clock: parts.given.clock,
      pollMs: parts.given.pollMs ?? options.pollMsDefault,
      closing: parts.closing,
      arrived: (from, chunk, isCurrent) => {
        this.#reader.offer(from, chunk, isCurrent);
      },
    });
  }

  append(records: readonly AppendRecord[]): Promise<number> {
    assert(this.#count !== null || records.every((record) => record.events === 0), "events are appended to alerts");
    return this.#appender.append(records);
  }

  get losses(): number {
    return this.#appender.losses;
  }

  read(offset: number, maxBytes: number): Promise<readonly StoredRecord[]> {
    return this.#reader.read(offset, maxBytes);
  }

  wait(offset: number, signal: AbortSignal): Promise<boolean> {
    return this.#tail.wait(offset, signal);
  }

  async bounds(): Promise<PartitionBounds> {
    const { start, end, topicId } = await this.#fetcher.bounds();
    this.#ends.reached(end);
    return { log_id: this.#logId(topicId), start_offset: start, end_offset: end };
  }

  async status(counted?: CountedEvents): Promise<PartitionStatus> {
    const bounds = await this.bounds();
    return { ...bounds, events: await this.#eventsBelow(bounds, counted) };
  }

  /**
   * Lets records go that are old enough, by DeleteRecords: Kafka's own retention knows nothing of positions, so it is
   * switched off.
   */
  async trim(offset: number): Promise<void> {
    const { clock, retention } = this.#parts.given;
    const now = clock.monotonic();
    await this.#storeCount(offset, now);
    if (now - this.#trimmedAt < retention.maxAgeMs / trimSteps) return;
    const young = await this.#fetcher.firstSince(clock.now() - retention.maxAgeMs);
    const { start_offset: start, end_offset: end } = await this.bounds();
    const below = Math.min(offset, young ?? end);
    const counted = below > start ? await this.#count?.storeTowards(below, start) : undefined;
    const allowed = Math.min(below, counted ?? below);
    if (allowed > start) {
      await this.#fetcher.deleteBelow(allowed);
      this.#reader.forget();
    }
    // What is not counted yet goes at a next call.
    if (allowed === below) this.#trimmedAt = now;
  }

  /** Those who wait are told that nothing comes. */
  stopWaiting(): void {
    this.#ends.close();
  }

  /** Lets called appends end and stores what was counted. */
  async drain(): Promise<void> {
    await this.#appender.close();
    await this.#count?.storeProgress().catch((error: unknown) => {
      this.#parts.given.log.warn("a count of events could not be stored; it will be counted again", {
        topic: this.#name,
        partition: this.#partition,
        reason: textOf(error),
      });
    });
  }

  cut(): void {
    for (const fetcher of [this.#fetcher, this.#tailFetcher, this.#countFetcher]) fetcher.close();
  }

  #logId(topicId: string): string {
    return `${topicId}-${this.#partition}`;
  }

  async #eventsBelow(bounds: PartitionBounds, counted: CountedEvents | undefined): Promise<number> {
    if (this.#count === null) return 0;
    const { start_offset: start, end_offset: end } = bounds;
    if (counted === undefined || counted.offset < start || counted.offset > end)
      return this.#count.total({ start, end });
    return this.#count.totalFrom(counted, end);
  }

  /** Keeps the count close to what the consumer has read, so that it never has to be made up for from afar. */
  async #storeCount(offset: number, now: number): Promise<void> {
    if (this.#count === null || now - this.#storedCountAt < storeCountMs) return;
    const { start_offset: start } = await this.bounds();
    await this.#count.storeTowards(offset, start);
    this.#storedCountAt = now;
  }

  #countIn(countTopic: CountTopic): EventCount {
    const key = `${this.#topic}/${this.#partition}`;
    const logId = async () => {
      const { topicId } = await this.#parts.cluster.place(this.#name, this.#partition);
      return this.#logId(topicId);
    };
    return new EventCount({
      fetch: (offset) => this.#countFetcher.chunk(offset, countBytes),
      load: async () => countTopic.load(key, await logId()),
      store: async (counted) => countTopic.store(key, await logId(), counted),
      uncounted: (from, to) => {
        const message = "records were removed before their events were counted: totals are too low by those";
        this.#parts.given.log.warn(message, { topic: this.#name, partition: this.#partition, from, to });
      },
    });
  }
}

function fetcherOf(parts: Parts, place: { readonly topic: string; readonly partition: number }): Fetcher {
  const { cluster, given, closing } = parts;
  return new Fetcher({ ...place, cluster, closing, clock: given.clock, readMs: given.readMs ?? options.readMsDefault });
}

function appenderOf(parts: Parts, place: { readonly topic: string; readonly partition: number }, ends: Ends): Appender {
  const { cluster, given, counts, messageBytesMax } = parts;
  const recordBytesMax = messageBytesMax - options.batchOverheadBytes;
  return new Appender({
    ...place,
    cluster,
    counts,
    recordBytesMax,
    clock: given.clock,
    appendMs: given.appendMs ?? options.appendMsDefault,
    pendingBytesMax: given.pendingBytesMax ?? options.pendingBytesMaxDefault,
    groupBytesMax: Math.min(given.groupBytesMax ?? options.groupBytesMaxDefault, recordBytesMax),
    appended: (end) => {
      ends.reached(end);
    },
  });
}

/** The topic in which counts are kept, over connections of its own. */
export function openCountTopic(parts: Parts, topic: string): CountTopic {
  const place = { topic, partition: 0 };
  return new CountTopic(fetcherOf(parts, place), appenderOf(parts, place, new Ends()));
}
