import type { Clock, StoredRecord } from "@winnow/ports";
import { inStepMs } from "./record-time.ts";

/**
 * What an owner's own clocks show beside its log's, so that its ticks come when they are due there. The later of two
 * estimates holds: the wall clock, which may be set back, and what has passed on the monotonic clock since a record was
 * read, which stands still while the machine sleeps.
 */
export class LogClock {
  readonly #clock: Clock;
  /** The last tick: its offset, and what our clock showed then. */
  #ticked = { offset: -1, at: 0 };
  /** Our clock minus the log's, as far as it is known; ms. */
  #aheadMs = 0;
  /** How much more the log's time is than our monotonic clock shows, as far as it is known; ms. */
  #leadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadMs = clock.now() - clock.monotonic();
  }

  /** The log's time now, within about a second; epoch ms. Never so late that a tick at it comes to nothing. */
  now(): number {
    // Behind, a second is left as it is: what lies between writing a tick and its time in the log counts here too.
    const correctionMs = this.#aheadMs > 0 ? this.#aheadMs : Math.min(0, this.#aheadMs + inStepMs);
    return Math.max(this.#clock.now() - correctionMs, Math.floor(this.#clock.monotonic() + this.#leadMs));
  }

  /** To be added to a time of the log for the moment at which our own clock shows it; ms. */
  correctionMs(): number {
    return this.#clock.now() - this.now();
  }

  /** Our tick stands at `offset`; it was written when our clock showed `at`. */
  ticked(offset: number, at: number): void {
    this.#ticked = { offset, at };
  }

  /** A record of the log was read: nothing in it is later than its time now. */
  read({ offset, appended_ms }: StoredRecord): void {
    const leadMs = appended_ms - this.#clock.monotonic();
    if (offset === this.#ticked.offset) {
      this.#aheadMs = this.#ticked.at - appended_ms;
      this.#leadMs = leadMs;
      return;
    }
    this.#aheadMs = Math.min(this.#aheadMs, this.#clock.now() - appended_ms);
    this.#leadMs = Math.max(this.#leadMs, leadMs);
  }
}
