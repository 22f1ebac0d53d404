import type { StageId, Topic } from "@winnow/contracts";
import type { Logger, WinnowError } from "@winnow/platform";
import type { Clock, EventLog, Ids } from "@winnow/ports";
import { defaultLoopSettings, type LoopSettings, PartitionLoop, type PartitionSession } from "./partition-loop.ts";

export interface PartitionHealth {
  readonly stage: StageId;
  readonly partition: number;
  /** Next record to read, as last seen. */
  readonly position: number;
  /** Set when the partition stopped and needs a person. */
  readonly alarm: WinnowError | null;
}

export interface PartitionSetOptions {
  readonly stage: StageId;
  readonly topic: Topic;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly settings?: Partial<LoopSettings>;
  open(partition: number, token: string, signal: AbortSignal): Promise<PartitionSession>;
}

/** Pause before a partition that another owner took is asked for again; ms. */
const rejoinMs = 1_000;

/** Runs every partition of one stage in this process and tells how they fare. */
export class PartitionSet {
  readonly #options: PartitionSetOptions;
  readonly #health: { position: number; alarm: WinnowError | null }[] = [];
  readonly #stopping = new AbortController();
  readonly #runs: Promise<void>[] = [];

  constructor(options: PartitionSetOptions) {
    this.#options = options;
  }

  start(): void {
    for (let partition = 0; partition < this.#options.log.partitions; partition += 1) {
      this.#health[partition] = { position: 0, alarm: null };
      this.#runs.push(this.#run(partition));
    }
  }

  /** Lets every partition finish the record at hand and commit. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#runs);
  }

  health(): PartitionHealth[] {
    return this.#health.map((health, partition) => ({ stage: this.#options.stage, partition, ...health }));
  }

  async #run(partition: number): Promise<void> {
    const { clock, topic } = this.#options;
    const loop = new PartitionLoop(
      { topic, partition },
      async (token, signal) => this.#options.open(partition, token, signal),
      this.#dependencies(partition),
    );
    while (!this.#stopping.signal.aborted) {
      const end = await loop.run(this.#stopping.signal);
      if (end.end !== "fenced") return;
      await clock.sleep(rejoinMs, this.#stopping.signal);
    }
  }

  #dependencies(partition: number) {
    const { stage, log, clock, ids, logger, settings } = this.#options;
    const health = this.#health[partition] ?? { position: 0, alarm: null };
    const place = { stage, partition };
    return {
      log,
      clock,
      ids,
      settings: { ...defaultLoopSettings, ...settings },
      report: {
        alarm: (error: WinnowError) => {
          health.alarm = error;
          logger.error("a partition stopped and needs a person", { ...place, error });
        },
        trouble: (error: unknown) => {
          logger.warn("a partition starts over", { ...place, error });
        },
        progress: (position: number) => {
          health.position = position;
        },
      },
    };
  }
}
