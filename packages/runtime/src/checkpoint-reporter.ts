import type { StagePartition } from "@winnow/ports";

/** What checkpoints tell about themselves. */
export interface CheckpointReporter {
  /** A checkpoint with so many changed states stands. */
  saved(at: StagePartition, states: number): void;
  /** One could not be saved or found; it is tried again. */
  failed(at: StagePartition, error: unknown): void;
  /** The window store stood at `from`, which lies behind: the partition goes on from the checkpoint at `to`. */
  restored(at: StagePartition, moved: { readonly from: number; readonly to: number }): void;
}

export const silentCheckpoints: CheckpointReporter = { saved: () => {}, failed: () => {}, restored: () => {} };
