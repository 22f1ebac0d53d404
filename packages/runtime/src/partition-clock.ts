import type { CommitMeta } from "@winnow/ports";

type Behind = NonNullable<CommitMeta["behind"]>;

/**
 * A partition's clock: the latest time of its records. Where the log's own time is set back it would stand still until
 * that has caught up, and timers with it; so meanwhile it goes on at half the pace at which records are appended, and
 * is never wrong by more than before. It depends on the records alone.
 */
export class PartitionClock {
  #now: number;
  #behind: Behind | null;

  constructor(meta: Pick<CommitMeta, "clock_ms" | "behind"> | null) {
    this.#now = meta?.clock_ms ?? 0;
    this.#behind = meta?.behind ?? null;
  }

  /** Epoch ms, whole. */
  get now(): number {
    return this.#now;
  }

  /** The next record, appended at `appendedMs` and of the time `timeMs`. */
  pass(appendedMs: number, timeMs: number): void {
    this.#now = Math.max(this.#now, timeMs);
    if (appendedMs >= this.#now) {
      this.#behind = null;
      return;
    }
    const before = this.#behind ?? { appended_ms: appendedMs, reached_ms: this.#now };
    const gained = Math.max(0, appendedMs - before.appended_ms) / 2;
    const reached = Math.max(this.#now, before.reached_ms + gained);
    this.#behind = { appended_ms: appendedMs, reached_ms: reached };
    this.#now = Math.floor(reached);
  }

  /** When the log's own time has to be for a tick to reach `deadlineMs`; epoch ms. */
  dueAt(deadlineMs: number): number {
    const behind = this.#behind;
    if (behind === null) return deadlineMs;
    return Math.min(deadlineMs, Math.ceil(behind.appended_ms + 2 * (deadlineMs - behind.reached_ms)));
  }

  toMeta(): Pick<CommitMeta, "clock_ms" | "behind"> {
    return { clock_ms: this.#now, ...(this.#behind === null ? {} : { behind: this.#behind }) };
  }
}
