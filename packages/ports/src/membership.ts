import type { StagePartition } from "./window-store.ts";

/** What a member of a stage's group is told. */
export interface MembershipHandlers {
  /** These partitions are ours from now on. Must not throw. */
  readonly onAssigned: (partitions: readonly number[]) => void;
  /** These are ours no more; resolves once they are let go of. A next owner waits for that, but not for ever. */
  readonly onRevoked: (partitions: readonly number[]) => Promise<void>;
  /** The group's servers refuse us, as long as nobody changes a right or a login there; null when they do no more. */
  readonly onRefused?: (error: Error | null) => void;
}

export interface Membership {
  /** Lets go of all partitions and leaves. */
  close(): Promise<void>;
}

/**
 * Joins the processes that share a stage's partitions. Ownership is a hint: what is written is fenced by the store's
 * tokens.
 */
export type JoinStage = (stage: StagePartition["stage"], handlers: MembershipHandlers) => Membership;
