import type { Clock, StoredRecord } from "@winnow/ports";
import { inStepMs } from "./record-time.ts";

/** What an owner's own clock shows beside its log's, so that its ticks come when they are due there. */
export class LogClock {
  readonly #clock: Clock;
  /** The last tick: its offset, and what our clock showed then. */
  #ticked = { offset: -1, at: 0 };
  /** Our clock minus the log's, as far as it is known; ms. */
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The log's time now, within about a second; epoch ms. Never so late that a tick at it comes to nothing. */
  now(): number {
    return this.#clock.now() - this.correctionMs();
  }

  /** To be added to a time of the log for the moment at which our own clock shows it; ms. */
  correctionMs(): number {
    // Behind, a second is left as it is: what lies between writing a tick and its time in the log counts here too.
    return this.#aheadMs > 0 ? this.#aheadMs : Math.min(0, this.#aheadMs + inStepMs);
  }

  /** Our tick stands at `offset`; it was written when our clock showed `at`. */
  ticked(offset: number, at: number): void {
    this.#ticked = { offset, at };
  }

  /** A record of the log was read: nothing in it is later than its time now. */
  read({ offset, appended_ms }: StoredRecord): void {
    if (offset === this.#ticked.offset) this.#aheadMs = this.#ticked.at - appended_ms;
    else this.#aheadMs = Math.min(this.#aheadMs, this.#clock.now() - appended_ms);
  }
}
