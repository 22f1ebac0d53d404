import type { StageId, Topic } from "@winnow/contracts";
import { type Logger, WinnowError } from "@winnow/platform";
import type { Clock, EventLog, Ids, JoinStage, Membership } from "@winnow/ports";
import { isLasting } from "./lasting.ts";
import {
  defaultLoopSettings,
  type LoopDependencies,
  type LoopSettings,
  PartitionLoop,
  type PartitionSession,
} from "./partition-loop.ts";

export interface PartitionHealth {
  readonly stage: StageId;
  /** null for the stage's group: it lets this process have none while its servers refuse. */
  readonly partition: number | null;
  /** Next record to read, as last seen. */
  readonly position: number;
  /** Set when a person is needed: the partition stopped, or waits and goes on by itself once that is mended. */
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
  /** Shares the partitions with other processes: only those that the group assigns run here. Without it all do. */
  readonly join?: JoinStage;
  open(partition: number, token: string, signal: AbortSignal): Promise<PartitionSession>;
}

/** The same trouble of a partition, again and again, is told this often; ms. */
const sameTroubleMs = 60_000;
/** Pause before a partition that another owner took is asked for again; ms. */
const rejoinMs = 1_000;

/** A partition that is ours, running or stopped by an alarm. */
interface Run {
  readonly health: { position: number; alarm: WinnowError | null };
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
    const running = byPartition.map(([partition, { health }]) => ({ stage, partition, ...health }));
    return this.#refused === null
      ? running
      : [{ stage, partition: null, position: 0, alarm: this.#refused }, ...running];
  }

  #begin(partition: number): void {
    if (this.#isStopping) return;
    const before = this.#runs.get(partition);
    before?.stop.abort();
    const health = { position: 0, alarm: null };
    const stop = new AbortController();
    // One that was ours until just now ends first: both would claim.
    const ended = (before?.ended ?? Promise.resolve()).then(() => this.#run(partition, health, stop.signal));
    this.#runs.set(partition, { health, stop, ended });
  }

  async #letGo(partition: number): Promise<void> {
    const run = this.#runs.get(partition);
    if (run === undefined) return;
    run.stop.abort();
    await run.ended;
    if (this.#runs.get(partition) === run) this.#runs.delete(partition);
  }

  async #run(partition: number, health: Run["health"], signal: AbortSignal): Promise<void> {
    const { clock, topic } = this.#options;
    const loop = new PartitionLoop(
      { topic, partition },
      async (token, inner) => this.#options.open(partition, token, inner),
      this.#dependencies(partition, health),
    );
    while (!signal.aborted) {
      const end = await loop.run(signal);
      if (end.end !== "fenced") return;
      await clock.sleep(rejoinMs, signal);
    }
  }

  #dependencies(partition: number, health: Run["health"]): LoopDependencies {
    const { stage, log, clock, ids, logger, settings } = this.#options;
    const place = { stage, partition };
    const told = { what: "", at: 0 };
    let untrimmedAt = Number.NEGATIVE_INFINITY;
    const isToldNow = (what: string): boolean => {
      if (what === told.what && clock.monotonic() - told.at < sameTroubleMs) return true;
      Object.assign(told, { what, at: clock.monotonic() });
      return false;
    };
    return {
      log,
      clock,
      ids,
      settings: { ...defaultLoopSettings, ...settings },
      report: {
        alarm: (error) => {
          health.alarm = error;
          logger.error("a partition stopped and needs a person", { ...place, error });
        },
        trouble: (error) => {
          if (isLasting(error)) {
            if (health.alarm?.code !== error.code)
              logger.error("a partition waits: it needs a person, and then goes on by itself", { ...place, error });
            health.alarm = error;
            return;
          }
          const what = error instanceof WinnowError ? error.code : String(error);
          if (!isToldNow(what)) logger.warn("a partition starts over", { ...place, error });
        },
        well: () => {
          if (health.alarm === null) return;
          health.alarm = null;
          logger.info("a partition goes on", place);
        },
        untrimmed: (error) => {
          const now = clock.monotonic();
          if (now - untrimmedAt < sameTroubleMs) return;
          untrimmedAt = now;
          logger.warn("records that are done with could not be removed from the log; tried again", { ...place, error });
        },
        progress: (position) => {
          if (position > health.position) told.what = "";
          health.position = position;
        },
      },
    };
  }
}
