/** Bounds a storm of new tickets: at most `perMinute` creates in any minute. */
export class CreateBudget {
  readonly #perMinute: number;
  readonly #taken: number[] = [];

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Takes one create at `now` (monotonic ms). 0 = granted; else how many ms to wait before asking again. */
  take(now: number): number {
    while (this.#taken.length > 0 && (this.#taken[0] ?? 0) <= now - 60_000) this.#taken.shift();
    if (this.#taken.length < this.#perMinute) {
      this.#taken.push(now);
      return 0;
    }
    return Math.max(1, (this.#taken[0] ?? now) + 60_000 - now);
  }
}
