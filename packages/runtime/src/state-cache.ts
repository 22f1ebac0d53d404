import { type Read, StateMissing, type StateWrite } from "@winnow/core";
import type { Deadline, StateChange, StateRow } from "@winnow/ports";
import { Deadlines } from "./deadlines.ts";

interface Entry {
  /** null = known to be absent. */
  value: unknown;
  /** JSON in the place of the value, of states that are hardly ever read again before they are written. */
  text: string | null;
  deadline: number | null;
  changedAt: number;
}

/** The states of one partition in memory: what was loaded, what a commit must still write, and all deadlines. */
export class StateCache {
  readonly deadlines = new Deadlines();
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<string>();
  readonly #cleanMax: number;
  readonly #keeps: (key: string) => boolean;

  /** `cleanMax`: how many states stay in memory between commits, of those that `keeps` says true about. */
  constructor(deadlines: readonly Deadline[], cleanMax: number, keeps: (key: string) => boolean = () => true) {
    this.#cleanMax = cleanMax;
    this.#keeps = keeps;
    for (const { key, deadline_ms } of deadlines) this.deadlines.set(key, deadline_ms);
  }

  readonly read: Read = (key) => {
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new StateMissing(key);
    if (entry.text !== null) return JSON.parse(entry.text) as unknown;
    return entry.value ?? undefined;
  };

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Takes in what the store answered for `keys`; what it did not answer is absent. */
  loaded(keys: readonly string[], rows: readonly StateRow[]): void {
    const found = new Map(rows.map((row) => [row.key, row]));
    for (const key of keys) {
      if (this.#entries.has(key)) continue;
      const row = found.get(key);
      this.#entries.set(key, {
        value: row === undefined ? null : (JSON.parse(row.value) as unknown),
        text: null,
        deadline: row?.deadline_ms ?? null,
        changedAt: row?.changed_at ?? 0,
      });
    }
  }

  /** Carries out the writes of a decision made at `offset`. */
  apply(writes: ReadonlyMap<string, StateWrite>, offset: number): void {
    for (const [key, write] of writes) {
      // As text they hold on to nothing: the event that they were made of can leave the young generation.
      const text = write.value === null || this.#keeps(key) ? null : JSON.stringify(write.value);
      const value = text === null ? write.value : null;
      this.#entries.set(key, { value, text, deadline: write.deadline, changedAt: offset });
      this.#changed.add(key);
      this.deadlines.set(key, write.deadline);
    }
  }

  /** The state of `key` stays as it is, without a deadline. */
  dropDeadline(key: string, offset: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.deadline === null) return;
    this.#entries.set(key, { ...entry, deadline: null, changedAt: offset });
    this.#changed.add(key);
  }

  /** Everything that changed since the last commit. */
  changes(): StateChange[] {
    const changes: StateChange[] = [];
    for (const key of this.#changed) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      changes.push({
        key,
        value: entry.text ?? (entry.value === null ? null : JSON.stringify(entry.value)),
        deadline_ms: entry.deadline,
        changed_at: entry.changedAt,
      });
    }
    return changes;
  }

  /** The changes are in the store. Only now may states leave the memory, oldest first. */
  committed(): void {
    for (const key of this.#changed) if (!this.#keeps(key)) this.#entries.delete(key);
    this.#changed.clear();
    let surplus = this.#entries.size - this.#cleanMax;
    for (const key of this.#entries.keys()) {
      if (surplus <= 0) break;
      this.#entries.delete(key);
      surplus -= 1;
    }
  }
}
