import { correlateStage, dedupStage, type Stage } from "@winnow/core";
import type { Logger } from "@winnow/platform";
import type { Ids, JoinStage } from "@winnow/ports";
import {
  type ClaimLostListener,
  type LoopSettings,
  type PartitionHealth,
  PartitionSet,
  type StageDependencies,
  StageSession,
} from "@winnow/runtime";

export interface CorrelatorOptions extends StageDependencies {
  readonly ids: Ids;
  readonly logger: Logger;
  readonly settings?: Partial<LoopSettings>;
  /** Shares each stage's partitions with other processes; without it all run here. */
  readonly join?: JoinStage;
  readonly claimLost?: ClaimLostListener;
}

/** Stages A (dedup) and B (correlate) over all partitions of their topics. */
export class Correlator {
  readonly #sets: readonly PartitionSet[];

  constructor(options: CorrelatorOptions) {
    this.#sets = [partitionsOf(dedupStage, options), partitionsOf(correlateStage, options)];
  }

  start(): void {
    for (const set of this.#sets) set.start();
  }

  /** Commits what has been decided and lets go of the partitions. */
  async stop(): Promise<void> {
    await Promise.all(this.#sets.map((set) => set.stop()));
  }

  health(): PartitionHealth[] {
    return this.#sets.flatMap((set) => set.health());
  }
}

function partitionsOf<Item>(stage: Stage<Item>, options: CorrelatorOptions): PartitionSet {
  return new PartitionSet({
    stage: stage.id,
    topic: stage.input,
    log: options.log,
    clock: options.clock,
    ids: options.ids,
    logger: options.logger,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...(options.join === undefined ? {} : { join: options.join }),
    ...(options.claimLost === undefined ? {} : { claimLost: options.claimLost }),
    open: async (partition, token, signal) => StageSession.open(stage, { partition, token, signal }, options),
  });
}
