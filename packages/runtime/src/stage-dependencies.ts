import type { Hash } from "@winnow/core";
import type { CheckpointStore, Clock, EventLog, StagePartition, WindowStore } from "@winnow/ports";
import { type CheckpointReporter, silentCheckpoints } from "./checkpoint-reporter.ts";
import { Checkpointer, type CheckpointSettings, defaultCheckpointSettings } from "./checkpointer.ts";
import type { RestoredClaim } from "./restore.ts";
import type { RuleBook } from "./rule-book.ts";

/** Facts of the whole process that ticks carry into the log. */
export interface ProcessFacts {
  /** Since when everything has been ready without a gap; epoch ms. */
  readySince(): number;
  /** Last delivery per integration; epoch ms. */
  delivered(): Readonly<Record<string, number>>;
  /** Age of the oldest record that a receiver holds and has not shipped to the log, as receivers report it; ms. */
  unshippedMs?(): number;
}

export interface StageDependencies {
  readonly log: EventLog;
  readonly windows: WindowStore;
  readonly clock: Clock;
  readonly hash: Hash;
  readonly rules: RuleBook;
  readonly facts: ProcessFacts;
  /** States kept in memory per partition. */
  readonly cacheMax: number;
  /** Durable copies of the states, where the window store may lose them. Without it the window store's commit is one. */
  readonly checkpoints?: CheckpointStore;
  readonly checkpointSettings?: Partial<CheckpointSettings>;
  readonly checkpointReport?: CheckpointReporter;
}

/** None where the window store's commits are durable by themselves. */
export function checkpointerOf(
  session: {
    readonly at: StagePartition;
    readonly token: string;
    readonly signal: AbortSignal;
    readonly claim: RestoredClaim;
  },
  deps: StageDependencies,
): Checkpointer | null {
  const { windows, checkpoints, clock } = deps;
  if (checkpoints === undefined) return null;
  const { at, token, signal, claim } = session;
  const settings = { ...defaultCheckpointSettings, ...deps.checkpointSettings };
  const report = deps.checkpointReport ?? silentCheckpoints;
  const parts = { at, token, signal, windows, checkpoints, clock, settings, report };
  return new Checkpointer(parts, claim.meta, claim.checkpoint);
}
