import type { CountedEvents } from "@winnow/ports";
import type { Appender } from "./appender.ts";
import type { Fetcher } from "./fetcher.ts";
import { encodeRecord } from "./records.ts";

/** Name of the compacted topic, behind the prefix. */
export const countTopic = "counts";

interface StoredCount extends CountedEvents {
  /** The log that was counted: a topic that was made again counts from 0. */
  readonly log_id: string;
}

const readBytes = 1024 * 1024;

/**
 * Keeps counts of events in a compacted topic of one partition, by the counted partition. A count at an offset is a fact
 * of the log, the same whoever counts, so writers need no fence: the one furthest on holds.
 */
export class CountTopic {
  readonly #fetcher: Fetcher;
  readonly #appender: Appender;

  constructor(fetcher: Fetcher, appender: Appender) {
    this.#fetcher = fetcher;
    this.#appender = appender;
  }

  /** Rejects as reading does. */
  async load(key: string, logId: string): Promise<CountedEvents | null> {
    const { start, end } = await this.#fetcher.bounds();
    let furthest: CountedEvents | null = null;
    for (let offset = start; offset < end; ) {
      const chunk = await this.#fetcher.chunk(offset, readBytes);
      for (const record of chunk.records) {
        if (record.key?.toString() !== key) continue;
        const stored = JSON.parse(record.value.toString()) as StoredCount;
        if (stored.log_id === logId && stored.offset >= (furthest?.offset ?? 0))
          furthest = { offset: stored.offset, events: stored.events };
      }
      if (chunk.next <= offset) break;
      offset = chunk.next;
    }
    return furthest;
  }

  /** Rejects as appending does. */
  async store(key: string, logId: string, counted: CountedEvents): Promise<void> {
    const stored: StoredCount = { log_id: logId, offset: counted.offset, events: counted.events };
    const record = encodeRecord(JSON.stringify(stored), { events: 0, receivedMs: null });
    await this.#appender.appendEncoded([{ ...record, key }]);
  }

  async close(): Promise<void> {
    await this.#appender.close();
    this.#fetcher.close();
  }
}
