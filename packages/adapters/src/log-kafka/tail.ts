import type { Clock } from "@winnow/ports";
import type { Ends } from "./ends.ts";
import { code, isRefusal } from "./failures.ts";
import type { Fetcher } from "./fetcher.ts";
import { retryMsMax, retryMsMin } from "./options.ts";
import { type Chunk, decodeBatches } from "./records.ts";

export interface TailOptions {
  /** Of its own: a long poll keeps its connection busy. */
  readonly fetcher: Fetcher;
  readonly ends: Ends;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly closing: AbortSignal;
  /** New records, and the offset that was asked for. `isCurrent`: the connection that brought them is still open. */
  readonly arrived: (from: number, chunk: Chunk, isCurrent: () => boolean) => void;
}

const pollBytes = 1024 * 1024;

/** Watches the end of a partition while somebody waits for it: one long poll at a time. */
export class Tail {
  readonly #options: TailOptions;
  #isRunning = false;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  wait(offset: number, signal: AbortSignal): Promise<boolean> {
    const waiting = this.#options.ends.wait(offset, signal);
    if (this.#options.ends.isAwaited && !this.#isRunning) void this.#run();
    return waiting;
  }

  async #run(): Promise<void> {
    const { ends, clock, closing } = this.#options;
    this.#isRunning = true;
    let pauseMs = retryMsMin;
    while (ends.isAwaited && !closing.aborted) {
      try {
        await this.#poll();
        pauseMs = retryMsMin;
      } catch (error) {
        // The end that was asked for is not there any more: readers are told when they read.
        if (isRefusal(error, code.offsetOutOfRange)) ends.forget();
        // Whatever it was, the next read meets it too, and it is judged there.
        await clock.sleep(pauseMs, closing);
        pauseMs = Math.min(pauseMs * 2, retryMsMax);
      }
    }
    this.#isRunning = false;
  }

  async #poll(): Promise<void> {
    const { fetcher, ends, pollMs, arrived } = this.#options;
    if (ends.end === null) ends.reached(await fetcher.latest());
    const from = ends.end ?? 0;
    if (!ends.isAwaited) return;
    const { batches, highWatermark } = await fetcher.fetchOnce(from, { maxBytes: pollBytes, maxWaitMs: pollMs });
    const chunk = await decodeBatches(batches, from);
    if (chunk.records.length > 0) arrived(from, chunk, fetcher.watch());
    ends.reached(Math.max(highWatermark, chunk.next));
  }
}
