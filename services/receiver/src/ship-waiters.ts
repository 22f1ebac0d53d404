import type { Clock } from "@winnow/ports";

interface Waiter {
  readonly offset: number;
  readonly deadline: number;
  readonly resolve: (isShipped: boolean) => void;
}

/** Those who wait until a partition is shipped up to an offset. One timer serves them all: every request may be one. */
export class ShipWaiters {
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #waiting: Waiter[] = [];
  #nextLook = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True once everything below `offset` is shipped, false after `withinMs`. */
  wait(offset: number, withinMs: number): Promise<boolean> {
    if (this.#over.signal.aborted) return Promise.resolve(false);
    const deadline = this.#clock.monotonic() + withinMs;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.push({ offset, deadline, resolve });
    this.#lookAt(deadline);
    return promise;
  }

  reached(shipped: number): void {
    if (this.#waiting.length > 0) this.#settle((waiter) => waiter.offset <= shipped, true);
  }

  /** Nothing is shipped any more: all are told false, at once. */
  giveUp(): void {
    this.#over.abort();
    this.#settle(() => true, false);
  }

  #lookAt(deadline: number): void {
    if (deadline >= this.#nextLook) return;
    this.#nextLook = deadline;
    void this.#clock.sleep(deadline - this.#clock.monotonic(), this.#over.signal).then(() => {
      if (this.#nextLook !== deadline) return;
      const now = this.#clock.monotonic();
      this.#settle((waiter) => waiter.deadline <= now, false);
      this.#nextLook = Number.POSITIVE_INFINITY;
      if (this.#waiting.length > 0) this.#lookAt(Math.min(...this.#waiting.map((waiter) => waiter.deadline)));
    });
  }

  #settle(ends: (waiter: Waiter) => boolean, isShipped: boolean): void {
    const still: Waiter[] = [];
    for (const waiter of this.#waiting) {
      if (ends(waiter)) waiter.resolve(isShipped);
      else still.push(waiter);
    }
    this.#waiting = still;
  }
}
