import type { Clock } from "@winnow/ports";
import type { VirtualTime } from "./virtual-time.ts";

/**
 * One process of the simulated world. Everything that reaches it comes through `deliver`: a dead process hears nothing
 * more, so that its promises never settle; a paused one hears it all when it goes on.
 */
export class VirtualProcess {
  readonly name: string;
  readonly time: VirtualTime;
  readonly clock: Clock;
  /** How far its machine's clock runs ahead of the world's, ms: it may be set at any moment. */
  skewMs: number;
  /** Asks it to stop in good order. */
  readonly stop = new AbortController();
  #alive = true;
  #held: (() => void)[] | null = null;

  constructor(name: string, time: VirtualTime, skewMs = 0) {
    this.skewMs = skewMs;
    this.name = name;
    this.time = time;
    this.clock = {
      now: () => time.now + this.skewMs,
      monotonic: () => time.now,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Dies at once: nothing it waits for comes back. */
  kill(): void {
    this.#alive = false;
    this.#held = null;
  }

  /** Stands still, as in a long pause of the machine; the world around it goes on. */
  pause(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const work of held) this.deliver(work);
  }

  deliver(work: () => void): void {
    if (!this.#alive) return;
    if (this.#held === null) work();
    else this.#held.push(work);
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const wake = () => {
        timer.cancel();
        signal?.removeEventListener("abort", wake);
        this.deliver(resolve);
      };
      const timer = this.time.after(ms, wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
}
