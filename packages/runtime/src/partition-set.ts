import type { StageId, Topic } from "@winnow/contracts";
import { type Logger, WinnowError } from "@winnow/platform";
import type { Clock, EventLog, Ids, JoinStage, Membership, Refusal } from "@winnow/ports";
import {
  defaultLoopSettings,
  type LoopDependencies,
  type LoopSettings,
  PartitionLoop,
  type PartitionSession,
} from "./partition-loop.ts";
import { PartitionReport } from "./partition-report.ts";

export interface PartitionHealth {
  readonly stage: StageId;
  /** null for the stage's group: it lets this process have none while its servers refuse. */
  readonly partition: number | null;
  /** Next record to read, as last seen. */
  readonly position: number;
  /** Set when a person is needed: the partition stopped, or waits and goes on by itself once that is mended. */
  readonly alarm: WinnowError | null;
}

/** Why: another owner has claimed, or the store does not stand at our last commit. */
export type ClaimLostListener = (stage: StageId, why: Refusal["refused"]) => void;

export interface PartitionSetOptions {
  readonly stage: StageId;
  readonly topic: Topic;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly settings?: Partial<LoopSettings>;
  /** Shares the partitions with other processes: only those that the group assigns run here. Without it all do. */
  readonly join?: JoinStage;
  /** Told of each claim that ended without our doing; for metrics. */
  readonly claimLost?: ClaimLostListener;
  open(partition: number, token: string, signal: AbortSignal): Promise<PartitionSession>;
}

/** Pause before a partition that another owner took is asked for again; ms. */
const rejoinMs = 1_000;

/** A partition that is ours, running or stopped by an alarm. */
interface Run {
  readonly report: PartitionReport;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Runs partitions of one stage in this process, all or those that the stage's group assigns, and tells how they fare. */
export class PartitionSet {
  readonly #options: PartitionSetOptions;
  readonly #runs = new Map<number, Run>();
  #membership: Membership | null = null;
  #refused: WinnowError | null = null;
  #isStopping = false;

  constructor(options: PartitionSetOptions) {
    this.#options = options;
  }

  start(): void {
    const { join, stage, log } = this.#options;
    if (join === undefined) {
      for (let partition = 0; partition < log.partitions; partition += 1) this.#begin(partition);
      return;
    }
    this.#membership = join(stage, {
      onAssigned: (partitions) => {
        for (const partition of partitions) this.#begin(partition);
      },
      onRevoked: async (partitions) => {
        await Promise.all(partitions.map((partition) => this.#letGo(partition)));
      },
      onRefused: (error) => {
        this.#refused = error instanceof WinnowError ? error : null;
      },
    });
  }

  /** Lets every partition finish the record at hand, commit and save its checkpoint, then leaves the group. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { stop } of this.#runs.values()) stop.abort();
    await Promise.all([this.#membership?.close(), ...[...this.#runs.values()].map(({ ended }) => ended)]);
  }

  /** Of the partitions that run here, and of those that an alarm stopped here; of the group while it is refused. */
  health(): PartitionHealth[] {
    const { stage } = this.#options;
    const byPartition = [...this.#runs].toSorted(([left], [right]) => left - right);
    const running = byPartition.map(([partition, { report }]) => ({ stage, partition, ...report.health }));
    return this.#refused === null
      ? running
      : [{ stage, partition: null, position: 0, alarm: this.#refused }, ...running];
  }

  #begin(partition: number): void {
    if (this.#isStopping) return;
    const before = this.#runs.get(partition);
    before?.stop.abort();
    const { stage, clock, logger, claimLost } = this.#options;
    const report = new PartitionReport({ stage, partition }, { clock, logger, claimLost });
    const stop = new AbortController();
    // One that was ours until just now ends first: both would claim.
    const ended = (before?.ended ?? Promise.resolve()).then(() => this.#run(partition, report, stop.signal));
    this.#runs.set(partition, { report, stop, ended });
  }

  async #letGo(partition: number): Promise<void> {
    const run = this.#runs.get(partition);
    if (run === undefined) return;
    run.stop.abort();
    await run.ended;
    if (this.#runs.get(partition) === run) this.#runs.delete(partition);
  }

  async #run(partition: number, report: PartitionReport, signal: AbortSignal): Promise<void> {
    const { clock, topic } = this.#options;
    const loop = new PartitionLoop(
      { topic, partition },
      async (token, inner) => this.#options.open(partition, token, inner),
      this.#dependencies(report),
    );
    while (!signal.aborted) {
      const end = await loop.run(signal);
      if (end.end !== "fenced") return;
      await clock.sleep(rejoinMs, signal);
      // In a group it is taken away meanwhile, as a rule.
      if (!signal.aborted) report.takenBack();
    }
  }

  #dependencies(report: PartitionReport): LoopDependencies {
    const { log, clock, ids, settings } = this.#options;
    return { log, clock, ids, settings: { ...defaultLoopSettings, ...settings }, report };
  }
}
