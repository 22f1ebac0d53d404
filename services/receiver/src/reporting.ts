import type { Logger } from "@winnow/platform";
import type { Clock, FactStore } from "@winnow/ports";
import { parseReport, type ReceiverFacts, reportPrefix, type StoredReport } from "./stored-report.ts";

const everyMs = 1_000;
/** An unchanged report is told again after this, so that its reader sees life. */
const unchangedMs = 5_000;
/** How much the age of what waits may change before it is told. */
const ageStepMs = 1_000;

export interface ReportingOptions {
  readonly store: Pick<FactStore, "fact" | "setFact">;
  readonly receiverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly read: () => ReceiverFacts;
}

export interface Reporting {
  /** Tells the last state once more: with nothing left to ship, that this receiver is no longer to be waited for. */
  stop(): Promise<void>;
}

/** Writes the receiver's report into the store, about once a second while it changes. Failures are tried again. */
export function startReporting(options: ReportingOptions): Reporting {
  const stopping = new AbortController();
  const reporter = new Reporter(options);
  const running = reporter.run(stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await running;
      await reporter.tell(true);
    },
  };
}

class Reporter {
  readonly #options: ReportingOptions;
  #number: number | null = null;
  #told: ReceiverFacts | null = null;
  #toldAt = 0;
  #isFailing = false;

  constructor(options: ReportingOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.tell(false);
      await this.#options.clock.sleep(everyMs, signal);
    }
  }

  async tell(isStopping: boolean): Promise<void> {
    const { store, receiverId, clock, logger, read } = this.#options;
    const facts = read();
    if (!isStopping && !this.#isDue(facts)) return;
    try {
      this.#number ??= numberIn(await store.fact(reportPrefix + receiverId));
      const report: StoredReport = {
        number: this.#number + 1,
        at_ms: clock.now(),
        is_over: isStopping && facts.oldest_unshipped_ms === 0,
        ...facts,
      };
      await store.setFact(reportPrefix + receiverId, JSON.stringify(report));
      this.#number = report.number;
      this.#told = facts;
      this.#toldAt = clock.monotonic();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) logger.warn("this receiver cannot report to the correlators; tried again", { error });
      this.#isFailing = true;
    }
  }

  #isDue(facts: ReceiverFacts): boolean {
    const told = this.#told;
    if (told === null || this.#options.clock.monotonic() - this.#toldAt >= unchangedMs) return true;
    if (Math.abs(told.oldest_unshipped_ms - facts.oldest_unshipped_ms) >= ageStepMs) return true;
    return told.ready_since_ms !== facts.ready_since_ms || !isEqual(told.delivered_ms, facts.delivered_ms);
  }
}

function isEqual(left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function numberIn(text: string | null): number {
  return text === null ? 0 : (parseReport(text)?.number ?? 0);
}
