import { isLasting, type Logger, WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";

const pauseMsMin = 50;
const pauseMsMax = 2_000;
/** A failure that lasts this long needs a person. */
const alarmMs = 60_000;

/** A streak of failures: how long to wait before the next try, and what is said about it. */
export class ShipTrouble {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #failures = 0;
  #sinceMs = 0;
  #isAlarmed = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  get isOver(): boolean {
    return this.#failures === 0;
  }

  /** Returns the pause before the next try, ms. */
  met(error: unknown): number {
    if (this.#failures === 0) {
      this.#sinceMs = this.#clock.monotonic();
      this.#logger.warn("records wait on this receiver: the shared log does not take them", { error });
    }
    this.#failures += 1;
    const isOverdue = this.#clock.monotonic() - this.#sinceMs >= alarmMs;
    if (!this.#isAlarmed && (isOverdue || mayLastForEver(error))) {
      this.#isAlarmed = true;
      this.#logger.error("records stay on this receiver until the shared log takes them", { error });
    }
    return Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(this.#failures - 1, 10));
  }

  ended(waiting: number): void {
    if (this.#failures === 0) return;
    const seconds = (this.#clock.monotonic() - this.#sinceMs) / 1_000;
    this.#logger.info("the shared log takes records again", { seconds, waiting_records: waiting });
    this.#failures = 0;
    this.#isAlarmed = false;
  }
}

/** True for a failure that no waiting mends, such as a record beyond the shared log's limit, or a right taken away. */
function mayLastForEver(error: unknown): boolean {
  return !(error instanceof WinnowError) || error.retry === "permanent" || isLasting(error);
}
