import type { CommitMeta, StagePartition, StateChange, StateRow } from "./window-store.ts";

/** A partition's states as of one of its commits. */
export interface Checkpoint {
  readonly meta: CommitMeta;
  /**
   * All states, in key order, a chunk at a time. Every chunk is of this checkpoint: when another one is saved over it
   * meanwhile, the iteration rejects with `store_unavailable`, and the caller loads again.
   */
  readonly rows: AsyncIterable<readonly StateRow[]>;
}

export interface CheckpointSave {
  /** Position of the stored checkpoint that this one is built on, 0 where there is none. */
  readonly previous: number;
  /** The whole commit that the changes lead to; its position is at least `previous`. */
  readonly meta: CommitMeta;
  /**
   * Every state that changed at or after `previous`, as it is in the commit, deletions as tombstones (value null); in
   * chunks, since a first checkpoint holds all states. The last change of a key counts. None is of the commit's future.
   */
  readonly changes: Iterable<readonly StateChange[]> | AsyncIterable<readonly StateChange[]>;
}

/** `position` = the stored checkpoint is not at `previous`: it was saved by another, or by this one unnoticed. */
export type CheckpointResult = { readonly saved: true } | { readonly refused: "position" };

/**
 * Durable copies of stages' states behind a WindowStore that may lose them. A checkpoint is one transaction, stored
 * incrementally: what changed since the last one. Nobody owns it: what a stage's outputs and states are at a position is
 * the same whoever computed it, so equality of `previous` suffices, and an owner of the past only ever saves a commit
 * that has been made.
 */
export interface CheckpointStore {
  /**
   * Saves over the checkpoint at `previous`, or refuses and writes nothing. Rejects with `store_unavailable` (nothing was
   * saved), `store_unknown` (read `checkpointMeta`), with whatever `changes` throws, and with a plain Error for a commit
   * before `previous` or a change at or after the commit's position; nothing is saved then either.
   */
  saveCheckpoint(at: StagePartition, save: CheckpointSave): Promise<CheckpointResult>;
  /** null where there is none. */
  loadCheckpoint(at: StagePartition): Promise<Checkpoint | null>;
  /** The commit of the stored checkpoint, without its states: logs are kept from its position on. */
  checkpointMeta(at: StagePartition): Promise<CommitMeta | null>;
}
