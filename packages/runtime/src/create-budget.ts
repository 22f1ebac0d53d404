import { type Priority, priorities } from "@winnow/contracts";

const minuteMs = 60_000;

/**
 * Bounds a storm of new tickets: at most `perMinute` creates in any minute, the most urgent first. One that has to wait
 * is told a slot of its own, so that thousands that wait do not all come for the next one; less urgent ones leave the
 * slots alone that more urgent ones were told.
 */
export class CreateBudget {
  readonly #perMinute: number;
  /** When the creates of the last minute were granted, oldest first. */
  readonly #granted: number[] = [];
  /** Per priority: the moments that were told to creates that wait, oldest first. */
  readonly #told: ReadonlyMap<Priority, number[]> = new Map(priorities.map((priority) => [priority, []]));

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Takes one create at `now` (monotonic ms). 0 = granted; else how many ms to wait before asking again, a minute at most. */
  take(now: number, priority: Priority): number {
    while ((this.#granted[0] ?? now) <= now - minuteMs) this.#granted.shift();
    const waiting = this.#waiting(priority);
    // Whoever was told this moment has come, or is not coming.
    if ((waiting[0] ?? Infinity) <= now) waiting.shift();
    const ahead = this.#moreUrgent(priority, now);
    if (this.#perMinute - this.#granted.length > ahead) {
      this.#granted.push(now);
      return 0;
    }
    const at = Math.max(now + 1, Math.min(this.#slot(ahead + waiting.length, now), now + minuteMs));
    waiting.push(at);
    return at - now;
  }

  #waiting(priority: Priority): number[] {
    return this.#told.get(priority) ?? [];
  }

  /** More urgent creates that wait; those that were told a moment well over are not coming. */
  #moreUrgent(priority: Priority, now: number): number {
    let count = 0;
    for (const other of priorities.slice(0, priorities.indexOf(priority))) {
      const waiting = this.#waiting(other);
      while ((waiting[0] ?? now) < now - graceMs) waiting.shift();
      count += waiting.length;
    }
    return count;
  }

  /** When the create behind `before` others can be granted. */
  #slot(before: number, now: number): number {
    const place = before - (this.#perMinute - this.#granted.length);
    if (place < 0) return now;
    // All are free, and kept for more urgent ones, which will take them about now.
    if (this.#granted.length === 0) return now + minuteMs;
    const rounds = Math.floor(place / this.#granted.length);
    return (this.#granted[place % this.#granted.length] ?? now) + minuteMs * (1 + rounds);
  }
}

/** How long a slot is kept for a more urgent create that was told it: its way through the store takes a moment. */
const graceMs = 2_000;
