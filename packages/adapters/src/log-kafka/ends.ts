interface Waiter {
  readonly offset: number;
  readonly wake: (there: boolean) => void;
}

/** The durable end of a partition, as far as this process knows, and those who wait for it to move. */
export class Ends {
  readonly #waiters = new Set<Waiter>();
  #end: number | null = null;
  #isClosed = false;

  get end(): number | null {
    return this.#end;
  }

  get isAwaited(): boolean {
    return this.#waiters.size > 0;
  }

  /** There are durable records below `end`. */
  reached(end: number): void {
    if (this.#end !== null && end <= this.#end) return;
    this.#end = end;
    for (const waiter of this.#waiters) if (waiter.offset < end) waiter.wake(true);
  }

  /** A read met the end here. What was known may lie behind records that the log has lost since: nobody is woken for them. */
  met(end: number): void {
    if (this.#end !== null && end < this.#end) this.#end = end;
  }

  /** What was known of the end was wrong. */
  forget(): void {
    this.#end = null;
  }

  /** True once there is a record at `offset`, false when the signal is aborted or this is closed. */
  wait(offset: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#isClosed) return Promise.resolve(false);
    if (this.#end !== null && offset < this.#end) return Promise.resolve(true);
    return new Promise((resolve) => {
      const abort = () => {
        waiter.wake(false);
      };
      const waiter: Waiter = {
        offset,
        wake: (there) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", abort);
          resolve(there);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.wake(false);
  }
}
