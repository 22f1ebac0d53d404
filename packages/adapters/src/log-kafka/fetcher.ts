import { WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import type { Cluster } from "./cluster.ts";
import { accept, code, isRefusal, KafkaRefusal, lastingRefusal, textOf } from "./failures.ts";
import type { KafkaBroker } from "./kafkajs.ts";
import { Lane } from "./lane.ts";
import { earliest, latest, listOffset } from "./list-offset.ts";
import { persist } from "./persist.ts";
import { type Chunk, decodeBatches } from "./records.ts";
import { type Fetched, fetchRequest } from "./requests.ts";

export interface FetcherOptions {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly partition: number;
  readonly readMs: number;
  readonly clock: Clock;
  /** Aborted when the log closes. */
  readonly closing: AbortSignal;
}

const fetchBytesMax = 2 ** 31 - 1;

/** Asks one partition over a connection of its own. */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #lane: Lane;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#lane = new Lane(options.cluster, options);
  }

  /**
   * Durable records from `offset` on; none at the end. Rejects with `log_offset_trimmed`, `log_offset_beyond_end`,
   * `log_replaced`, `log_corrupt`, `log_read_failed` or `log_closed`.
   */
  async chunk(offset: number, maxBytes: number): Promise<Chunk & Fetched> {
    const doubts = { beyondEnd: 0 };
    const fetched = await this.#insist(async () => {
      try {
        return await this.fetchOnce(offset, { maxBytes, maxWaitMs: 0 });
      } catch (error) {
        if (isRefusal(error, code.offsetOutOfRange)) throw await this.#explain(offset, doubts);
        throw error;
      }
    });
    return { ...fetched, ...(await decodeBatches(fetched.batches, offset)) };
  }

  /** One try, waiting for a record for a while. Rejects with a LinkFailure or a KafkaRefusal. */
  fetchOnce(offset: number, how: { readonly maxBytes: number; readonly maxWaitMs: number }): Promise<Fetched> {
    const { topic, partition, cluster } = this.#options;
    return this.#lane.attempt(async (link, { topicId, epoch }) => {
      const maxBytes = Math.min(Math.max(1, how.maxBytes), fetchBytesMax);
      const request = { topicId, topicName: topic, partition, epoch, offset, maxBytes, maxWaitMs: how.maxWaitMs };
      return accept(await link.send(fetchRequest(request), cluster.settings.requestMs + how.maxWaitMs));
    });
  }

  /** The range of offsets that can be read, and the topic's id. Rejects as `chunk` does. */
  bounds(): Promise<{ readonly start: number; readonly end: number; readonly topicId: string }> {
    return this.#insist(async () => {
      // Brokers answer this one only when they are sure of the end, unlike a fetch right after a change of leaders.
      const end = await this.latest();
      const { topicId } = await this.#options.cluster.place(this.#options.topic, this.#options.partition);
      // The fetch names the topic by its id, which the question for the end cannot.
      const { startOffset } = await this.fetchOnce(end, { maxBytes: 1, maxWaitMs: 0 }).catch((error: unknown) => {
        throw isRefusal(error, code.offsetOutOfRange) ? new KafkaRefusal(code.offsetNotAvailable) : error;
      });
      return { start: startOffset, end, topicId };
    });
  }

  /** The durable end; one try. */
  latest(): Promise<number> {
    return this.#listOffset(latest);
  }

  /** The offset of the first record appended at or after a time, null when all are older. Rejects as `chunk` does. */
  async firstSince(timeMs: number): Promise<number | null> {
    const offset = await this.#insist(() => this.#listOffset(Math.max(0, timeMs)));
    return offset < 0 ? null : offset;
  }

  /** Lets everything below `offset` go. Rejects with `log_write_failed`. */
  async deleteBelow(offset: number): Promise<void> {
    const { topic, partition, cluster } = this.#options;
    const timeout = cluster.settings.requestMs / 2;
    const request = (broker: KafkaBroker) =>
      broker.deleteRecords({ topics: [{ topic, partitions: [{ partition, offset }] }], timeout });
    try {
      await this.#persist(() => this.#lane.attempt((link) => link.call(request)));
    } catch (error) {
      throw this.#failure("log_write_failed", error);
    }
  }

  /** Tells whether the connection that is open now still is: what was read over another may be gone. */
  watch(): () => boolean {
    return this.#lane.watch();
  }

  close(): void {
    this.#lane.close();
  }

  #listOffset(timestamp: number): Promise<number> {
    return this.#lane.attempt((link) => listOffset(link, this.#options, timestamp));
  }

  /** Why an offset is out of range. A log that seems to end too early is asked twice, once with fresh metadata. */
  async #explain(offset: number, doubts: { beyondEnd: number }): Promise<Error> {
    const { topic, partition } = this.#options;
    const start = await this.#listOffset(earliest);
    const end = await this.#listOffset(latest);
    const fields = { topic, partition, offset, start_offset: start, end_offset: end };
    if (offset < start) {
      const message = `offset ${offset} lies below the start ${start} of ${topic} partition ${partition}`;
      return new WinnowError("log_offset_trimmed", message, { fields });
    }
    if (offset <= end) return new KafkaRefusal(code.offsetNotAvailable);
    doubts.beyondEnd += 1;
    if (doubts.beyondEnd < 2) return new KafkaRefusal(code.unknownLeaderEpoch);
    const message = `offset ${offset} lies above the end ${end} of ${topic} partition ${partition}`;
    return new WinnowError("log_offset_beyond_end", message, { fields });
  }

  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await this.#persist(attempt);
    } catch (error) {
      throw this.#failure("log_read_failed", error);
    }
  }

  #persist<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, readMs, closing } = this.#options;
    return persist({ clock, ms: readMs, signal: closing }, attempt);
  }

  #failure(errorCode: "log_read_failed" | "log_write_failed", error: unknown): WinnowError {
    const { topic, partition, closing } = this.#options;
    if (closing.aborted) return new WinnowError("log_closed", "the log is closed");
    const isReading = errorCode === "log_read_failed";
    const refusal = lastingRefusal(error, `to ${isReading ? "read" : "trim"} ${topic}`, { topic, partition });
    if (refusal !== null) return refusal;
    if (error instanceof WinnowError) return error;
    const doing = isReading ? "read" : "trimmed";
    const message = `${topic} partition ${partition} could not be ${doing}: ${textOf(error)}`;
    return new WinnowError(errorCode, message, { cause: error, fields: { topic, partition } });
  }
}
