import type { StoreLog } from "@winnow/adapters/store-sqlite";

/** A log for tests in which nothing is to be said. */
export const silentLog: StoreLog = { info: () => undefined, error: () => undefined };

/** A clock that only a test moves. */
export class HandClock {
  #nowMs = 1_700_000_100_000;

  now(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
