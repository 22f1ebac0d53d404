import type { Logger } from "@winnow/platform";
import type { Clock, FactStore } from "@winnow/ports";
import { parseReport, reportPrefix, type StoredReport } from "./stored-report.ts";

export interface ReceiverReportsOptions {
  readonly store: Pick<FactStore, "factsUnder">;
  readonly clock: Clock;
  readonly logger: Logger;
}

const everyMs = 1_000;
/** A receiver whose report stays the same for so long is silent. */
const silentMs = 60_000;
/** A receiver that has been silent for so long is gone for good: its own log keeps nothing longer, unless told to. */
const goneMs = 72 * 3_600_000;

interface Known {
  readonly report: StoredReport;
  /** When this report was first seen; monotonic ms. */
  readonly seenAt: number;
  /** Its `ready_since_ms` on the reader's clock. */
  readonly readySinceMs: number;
  /** What its times need to be on the reader's clock, ms; too much by the time the report was under way. */
  readonly skewMs: number;
  /** False until a second report has shown that its receiver lives. */
  readonly hasMoved: boolean;
}

/**
 * What all receivers report, for the correlators' ticks. Where something is not known it says what lets alerts live
 * longer: silence of a receiver is not health.
 */
export class ReceiverReports {
  readonly #options: ReceiverReportsOptions;
  readonly #known = new Map<string, Known>();
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(options: ReceiverReportsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * Since when all receivers have been taking every delivery; epoch ms, whole. Now when that is not known: no receiver has
   * shown itself alive, or one is silent that did not stop in order. One that is silent for 72 h is gone for good.
   */
  readySince(): number {
    const now = this.#options.clock.now();
    const expected = [...this.#known.values()].filter(
      (known) => !known.report.is_over && (this.#isLive(known) || now - known.report.at_ms < goneMs),
    );
    if (expected.length === 0 || !expected.every((known) => known.hasMoved && this.#isLive(known))) return now;
    return Math.ceil(Math.min(now, Math.max(...expected.map((known) => known.readySinceMs))));
  }

  /** Last delivery per integration on any receiver; epoch ms, whole. */
  delivered(): Readonly<Record<string, number>> {
    const delivered: Record<string, number> = {};
    for (const { report, skewMs } of this.#known.values()) {
      for (const [integration, at] of Object.entries(report.delivered_ms)) {
        // A receiver whose clock is ahead must not seem to have delivered later than it did.
        const atMs = Math.floor(at + Math.min(0, skewMs));
        delivered[integration] = Math.max(atMs, delivered[integration] ?? 0);
      }
    }
    return delivered;
  }

  /** Age of the oldest record that a live receiver has not shipped; whole ms, 0 for none. */
  unshippedMs(): number {
    const now = this.#options.clock.monotonic();
    let oldest = 0;
    for (const known of this.#known.values()) {
      const { oldest_unshipped_ms } = known.report;
      // It grows older until the next report.
      if (oldest_unshipped_ms > 0 && this.#isLive(known))
        oldest = Math.max(oldest, oldest_unshipped_ms + now - known.seenAt);
    }
    return Math.ceil(oldest);
  }

  #isLive({ seenAt }: Known): boolean {
    return this.#options.clock.monotonic() - seenAt < silentMs;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#poll();
      await this.#options.clock.sleep(everyMs, signal);
    }
  }

  async #poll(): Promise<void> {
    const { store, logger } = this.#options;
    try {
      const facts = await store.factsUnder(reportPrefix);
      for (const [name, text] of Object.entries(facts)) this.#take(name, text);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) logger.warn("the receivers' reports cannot be read; tried again", { error });
      this.#isFailing = true;
    }
  }

  #take(name: string, text: string): void {
    const report = parseReport(text);
    const known = this.#known.get(name);
    if (report === null || report.number === known?.report.number) return;
    const { clock } = this.#options;
    const skewMs = clock.now() - report.at_ms;
    const isUnchanged = known?.report.ready_since_ms === report.ready_since_ms;
    const since = report.ready_since_ms + skewMs;
    this.#known.set(name, {
      report,
      seenAt: clock.monotonic(),
      // The report that was under way for the shortest time tells it best.
      readySinceMs: isUnchanged ? Math.min(since, known.readySinceMs) : since,
      skewMs,
      hasMoved: known !== undefined,
    });
  }
}
