import { setImmediate } from "node:timers/promises";
import { assert, hasCode, WinnowError } from "@winnow/platform";
import type { AppendRecord, Clock } from "@winnow/ports";
import { type Acknowledged, lostSince } from "./acknowledged.ts";
import type { Cluster, Place } from "./cluster.ts";
import { accept, code, isRefusal, KafkaRefusal, LinkFailure, lastingRefusal, textOf } from "./failures.ts";
import { Lane } from "./lane.ts";
import type { Link } from "./link.ts";
import { persist } from "./persist.ts";
import { type EncodedRecord, encodeBatch, encodeRecord } from "./records.ts";
import { produceRequest } from "./requests.ts";

export interface AppenderOptions {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly partition: number;
  readonly clock: Clock;
  readonly appendMs: number;
  readonly pendingBytesMax: number;
  readonly groupBytesMax: number;
  /** Largest value of one record when the topic was last asked; the broker judges each, since the limit may be raised. */
  readonly recordBytesMax: number;
  readonly counts: AppendCounts;
  /** Records are durable below this offset. */
  readonly appended: (end: number) => void;
}

/** How often limits were hit and records written since the log was opened. */
export interface AppendCounts {
  produces: number;
  records: number;
  bytes: number;
  failures: number;
  refusedQueueFull: number;
  refusedTooLarge: number;
}

interface PendingAppend {
  readonly records: readonly EncodedRecord[];
  /** As they will take in a batch. */
  readonly bytes: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: Error) => void;
}

interface ProducerId {
  readonly id: string;
  readonly epoch: number;
  next: number;
}

const sequenceMax = 2 ** 31 - 1;

/** Length, offsets and headers of one record inside a batch. */
const recordOverheadBytes = 100;

/** Bytes in a batch. */
function sizeOf(records: readonly EncodedRecord[]): number {
  return records.reduce((sum, record) => sum + record.value.length + recordOverheadBytes, 0);
}

/** A producer's numbering is not as the broker remembers it: nothing was written, and a new producer begins at 0. */
const sequenceCodes = [code.outOfOrderSequence, code.unknownProducer, code.invalidProducerEpoch];

/** The leader has it, but its replicas may not; or it fell over it. */
const halfDoneCodes = [code.notEnoughReplicasAfterAppend, code.requestTimedOut, code.unknown];

/**
 * Appends to one partition: a queue, one produce under way. A try that found no answer is repeated with the same
 * producer id and sequence number, so the broker writes it once. A batch that is given up takes its producer id with it:
 * the next batch of equal length would else be taken for its repetition, acknowledged and thrown away.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #lane: Lane;
  #pending: PendingAppend[] = [];
  #pendingBytes = 0;
  /** Appends at the head of the queue that go one by one, since the broker refused them together. */
  #alone = 0;
  #producer: ProducerId | null = null;
  /** What was acknowledged last, and the connection over which the log was last seen to have it. */
  #known: (Acknowledged & { readonly link: Link }) | null = null;
  #losses = 0;
  #running: Promise<void> | null = null;
  /** Refuses every append until the callers of a failed group know of it, so that none of theirs is skipped. */
  #refusing: WinnowError | null = null;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#lane = new Lane(options.cluster, options);
  }

  /** How often the log was found to have lost what had been acknowledged here. */
  get losses(): number {
    return this.#losses;
  }

  append(records: readonly AppendRecord[]): Promise<number> {
    assert(records.length > 0, "an append has records");
    return this.appendEncoded(records.map((record) => this.#encode(record)));
  }

  appendEncoded(records: readonly EncodedRecord[]): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#refusing !== null) throw this.#refusing;
      const bytes = sizeOf(records);
      if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.pendingBytesMax) {
        this.#options.counts.refusedQueueFull += 1;
        throw new WinnowError("log_full", "too many appends wait for Kafka", { fields: { reason: "queue" } });
      }
      this.#pending.push({ records, bytes, resolve, reject });
      this.#pendingBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  /** Lets called appends end, then cuts the connection. */
  async close(): Promise<void> {
    while (this.#running !== null) await this.#running;
    this.#lane.close();
  }

  #encode(record: AppendRecord): EncodedRecord {
    assert(Number.isSafeInteger(record.events) && record.events >= 0, "events is a count");
    const { value } = record;
    const receivedMs = value.kind === "events" ? value.received_ms : null;
    return encodeRecord(record.text ?? JSON.stringify(value), { events: record.events, receivedMs });
  }

  async #run(): Promise<void> {
    // The appends of one turn of the event loop travel together.
    await setImmediate();
    while (this.#pending.length > 0) await this.#flush(this.#takeGroup());
    this.#running = null;
  }

  #takeGroup(): readonly PendingAppend[] {
    let bytes = 0;
    let count = 0;
    for (const append of this.#pending) {
      if (count > 0 && (this.#alone > 0 || bytes + append.bytes > this.#options.groupBytesMax)) break;
      bytes += append.bytes;
      count += 1;
    }
    this.#alone = Math.max(0, this.#alone - count);
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  async #flush(group: readonly PendingAppend[]): Promise<void> {
    const records = group.flatMap((append) => append.records);
    try {
      let offset = group.length > 1 ? await this.#produceBatch(records) : await this.#produce(records);
      for (const append of group) {
        append.resolve(offset);
        offset += append.records.length;
      }
    } catch (error) {
      this.#options.counts.failures += 1;
      if (group.length > 1 && isTooLarge(error)) this.#putBack(group);
      else this.#refuse(group, error as Error);
    }
  }

  /** Appends that are too large together are tried one by one. */
  #putBack(group: readonly PendingAppend[]): void {
    this.#pending.unshift(...group);
    this.#pendingBytes += group.reduce((sum, append) => sum + append.bytes, 0);
    this.#alone = group.length;
  }

  /** Writes the records of one append, in one batch where they fit; resolves with the offset of the first. */
  async #produce(records: readonly EncodedRecord[]): Promise<number> {
    if (records.length > 1 && sizeOf(records) > this.#options.recordBytesMax) return this.#produceHalves(records);
    try {
      return await this.#produceBatch(records);
    } catch (error) {
      if (!isTooLarge(error) || records.length === 1) throw error;
      return this.#produceHalves(records);
    }
  }

  async #produceHalves(records: readonly EncodedRecord[]): Promise<number> {
    const middle = Math.ceil(records.length / 2);
    const first = await this.#produce(records.slice(0, middle));
    try {
      await this.#produce(records.slice(middle));
    } catch (error) {
      // The first half is there, so it cannot be said that nothing is.
      if (!hasCode(error, "log_write_failed")) throw error;
      throw new WinnowError("log_unknown", error.message, { cause: error, fields: error.fields });
    }
    return first;
  }

  async #produceBatch(records: readonly EncodedRecord[]): Promise<number> {
    const { clock, appendMs, counts, appended } = this.#options;
    const doubt = { maybeDone: false };
    const bytes = records.reduce((sum, record) => sum + record.value.length, 0);
    try {
      // Not ended by closing: what was called before it becomes durable.
      const signal = new AbortController().signal;
      const base = await persist({ clock, ms: appendMs, signal }, () =>
        this.#lane.attempt((link, place) => this.#try(records, { link, place, doubt })),
      );
      counts.produces += 1;
      counts.records += records.length;
      counts.bytes += bytes;
      appended(base + records.length);
      return base;
    } catch (error) {
      this.#producer = null;
      throw this.#failure(error, doubt.maybeDone, { count: records.length, bytes });
    }
  }

  async #try(
    records: readonly EncodedRecord[],
    { link, place, doubt }: { link: Link; place: Place; doubt: { maybeDone: boolean } },
  ): Promise<number> {
    const { topic, partition, clock, cluster } = this.#options;
    await this.#checkKept(link, place);
    const producer = (this.#producer ??= await newProducer(link));
    const batch = await encodeBatch(records, {
      producerId: producer.id,
      producerEpoch: producer.epoch,
      firstSequence: producer.next,
      nowMs: clock.now(),
    });
    const timeoutMs = cluster.settings.requestMs / 2;
    const request = produceRequest(
      { topicId: place.topicId, topicName: topic, partition, timeoutMs, batch },
      link.canProduceById,
    );
    try {
      const { baseOffset } = accept(await link.send(request));
      producer.next += records.length;
      const sequence = producer.next - 1;
      this.#known = { end: baseOffset + records.length, producerId: producer.id, sequence, link };
      if (producer.next > sequenceMax / 2) this.#producer = null;
      return baseOffset;
    } catch (error) {
      if ((error instanceof LinkFailure && error.maybeDone) || isRefusal(error, ...halfDoneCodes))
        doubt.maybeDone = true;
      if (!isRefusal(error, ...sequenceCodes)) throw error;
      this.#producer = null;
      // Passes at the next try, with a new producer.
      throw new KafkaRefusal(code.coordinatorLoading, error.message);
    }
  }

  /**
   * A broker that comes back may have lost what it acknowledged. Nothing is written behind the hole before the caller
   * has heard of it, once; others learn it from `losses`.
   */
  async #checkKept(link: Link, place: Place): Promise<void> {
    const known = this.#known;
    if (known === null || known.link === link) return;
    const { topic, partition } = this.#options;
    const end = await lostSince(known, { topic, partition }, { link, place });
    this.#known = end === null ? { ...known, link } : null;
    if (end === null) return;
    this.#losses += 1;
    const message = `${topic} partition ${partition} ends at ${end}, but was acknowledged up to ${known.end}: Kafka lost records`;
    throw new WinnowError("log_unknown", message, { fields: { topic, partition, end, acknowledged_end: known.end } });
  }

  #failure(error: unknown, maybeDone: boolean, size: { readonly count: number; readonly bytes: number }): WinnowError {
    const { topic, partition, counts } = this.#options;
    if (isRefusal(error, code.messageTooLarge, code.recordListTooLarge)) {
      if (size.count === 1) counts.refusedTooLarge += 1;
      return tooLarge(size.bytes, { topic, partition }, error);
    }
    const refusal = maybeDone ? null : lastingRefusal(error, `to write to ${topic}`, { topic, partition });
    if (refusal !== null) return refusal;
    if (error instanceof WinnowError) return error;
    const text = `${topic} partition ${partition}: ${textOf(error)}`;
    const about = { cause: error, fields: { topic, partition } };
    return maybeDone
      ? new WinnowError("log_unknown", `an append may or may not have been written to ${text}`, about)
      : new WinnowError("log_write_failed", `an append could not be written to ${text}`, about);
  }

  /** A failed group takes down every append behind it: all of them may build on it, so none may land without it. */
  #refuse(group: readonly PendingAppend[], error: Error): void {
    const behind = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#alone = 0;
    const refusal = new WinnowError("log_write_failed", "an append before this one failed", { cause: error });
    this.#refusing = refusal;
    void setImmediate().then(() => {
      this.#refusing = null;
    });
    for (const append of group) append.reject(error);
    for (const append of behind) append.reject(refusal);
  }
}

async function newProducer(link: Link): Promise<ProducerId> {
  // Nothing is transactional; the field only must be positive.
  const made = await link.call((broker) => broker.initProducerId({ transactionTimeout: 60_000 }));
  return { id: made.producerId, epoch: made.producerEpoch, next: 0 };
}

function tooLarge(bytes: number, { topic, partition }: { topic: string; partition: number }, cause: unknown) {
  const message = `a record of ${bytes} bytes is too large for ${topic}: raise its max.message.bytes, or run \`winnow migrate\``;
  return new WinnowError("log_record_too_large", message, { cause, fields: { topic, partition, bytes } });
}

function isTooLarge(error: unknown): boolean {
  return hasCode(error, "log_record_too_large");
}
