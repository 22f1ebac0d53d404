import type { ReceiverLimits } from "./limits.ts";

/** Counts what is being read or waits for the log, so that memory has a limit. */
export class Pending {
  readonly #limits: ReceiverLimits;
  #deliveries = 0;
  #bytes = 0;

  constructor(limits: ReceiverLimits) {
    this.#limits = limits;
  }

  get deliveries(): number {
    return this.#deliveries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A place for one delivery, or null when all are taken. */
  enter(): Place | null {
    if (this.#deliveries >= this.#limits.pendingDeliveries || this.#bytes >= this.#limits.pendingBytes) return null;
    this.#deliveries += 1;
    return new Place(
      (bytes) => this.#take(bytes),
      (bytes) => this.#leave(bytes),
    );
  }

  #take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#limits.pendingBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  #leave(bytes: number): void {
    this.#deliveries -= 1;
    this.#bytes -= bytes;
  }
}

/** One delivery's share of the pending limits. */
export class Place {
  readonly #take: (bytes: number) => boolean;
  readonly #leave: (bytes: number) => void;
  #bytes = 0;
  #isTaken = true;

  constructor(take: (bytes: number) => boolean, leave: (bytes: number) => void) {
    this.#take = take;
    this.#leave = leave;
  }

  /** False when the bytes do not fit any more. */
  grow(bytes: number): boolean {
    if (!this.#take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives the place back; harmless when done twice. */
  leave(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    this.#leave(this.#bytes);
  }
}
