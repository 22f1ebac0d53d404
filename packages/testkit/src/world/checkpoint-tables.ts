import { assert } from "@winnow/platform";
import type { CheckpointResult, CommitMeta, StagePartition, StateChange, StateRow } from "@winnow/ports";

/** How a checkpoint store may be wrong: planted faults of the tests of the test. */
export interface CheckpointFlaws {
  /** A save is taken whatever it was built on, older ones too. */
  readonly takesAnyPrevious: boolean;
  /** Deleted states stay. */
  readonly keepsDeleted: boolean;
}

export const soundCheckpoints: CheckpointFlaws = { takesAnyPrevious: false, keepsDeleted: false };

/** A checkpoint as it lies in the table. */
export interface StoredCheckpoint {
  readonly meta: CommitMeta;
  readonly rows: ReadonlyMap<string, StateRow>;
}

/** What a checkpoint store holds durably: a fault of the window store does not touch it. Every method is one transaction. */
export class CheckpointTables {
  readonly #flaws: CheckpointFlaws;
  readonly #tables = new Map<string, StoredCheckpoint>();

  constructor(flaws: CheckpointFlaws = soundCheckpoints) {
    this.#flaws = flaws;
  }

  save(
    at: StagePartition,
    save: { readonly previous: number; readonly meta: CommitMeta; readonly changes: readonly StateChange[] },
  ): CheckpointResult {
    const { previous, meta, changes } = save;
    const stored = this.stored(at);
    assert(meta.position >= previous, "a checkpoint never goes backwards");
    if ((stored?.meta.position ?? 0) !== previous && !this.#flaws.takesAnyPrevious) return { refused: "position" };
    const rows = new Map(stored?.rows);
    for (const { key, value, ...rest } of changes) {
      assert(
        rest.changed_at < meta.position || this.#flaws.takesAnyPrevious,
        "a checkpoint holds nothing of its commit's future",
      );
      if (value !== null) rows.set(key, { key, value, ...rest });
      else if (!this.#flaws.keepsDeleted) rows.delete(key);
    }
    this.#tables.set(nameOf(at), { meta, rows });
    return { saved: true };
  }

  /** The stored object itself: the next save puts another one in its place. */
  stored(at: StagePartition): StoredCheckpoint | null {
    return this.#tables.get(nameOf(at)) ?? null;
  }

  /** The checkpoint is lost, as with the store's last hours. */
  forget(at: StagePartition): void {
    this.#tables.delete(nameOf(at));
  }
}

function nameOf(at: StagePartition): string {
  return `${at.stage}.${at.partition}`;
}
