import { type Logger, type Metrics, WinnowError, writeDurablyAside } from "@winnow/platform";
import type { Clock, EventLog } from "@winnow/ports";
import { fittingMark, ShipLane } from "./ship-lane.ts";
import { formatMarks, readMarks, type ShipMark } from "./ship-marks.ts";

export interface ShipperOptions {
  /** The receiver's own log: of topic `alerts`, what this receiver wrote. */
  readonly local: EventLog;
  /** The log that all receivers write and the stages read; as many partitions as `local`. */
  readonly shared: EventLog;
  /** From `localReceiver`. */
  readonly receiverId: string;
  /** Where the marks are kept over restarts; its directory exists. */
  readonly stateFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** How long shipped records are kept in `local`, as its retention says; ms. */
  readonly keepMs: number;
}

export interface ShipperHealth {
  readonly waiting_records: number;
  /** Age of the oldest of them, ms. */
  readonly oldest_ms: number;
  /** False while the last thing tried with the shared log failed, in any partition. */
  readonly reachable: boolean;
}

const saveMs = 1_000;
const trimMsMax = 60_000;
/** How long `stop` goes on shipping what waits. */
const drainMs = 5_000;
/** How long it then waits for appends under way. */
const graceMs = 1_000;

/**
 * Sends the receiver's own log to the shared one: in order, at least once, one append in flight per partition. Records
 * go as they are, so that their readers drop repetitions by receiver and seq. Marks say how far it came; they are
 * written behind, so that after a crash the last second is sent again. Local records are let go only below marks that
 * are on the disk.
 */
export class Shipper {
  readonly #options: ShipperOptions;
  readonly #lanes: readonly ShipLane[];
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #saved: readonly ShipMark[];

  private constructor(options: ShipperOptions, lanes: readonly ShipLane[], saved: readonly ShipMark[]) {
    this.#options = options;
    this.#lanes = lanes;
    this.#saved = saved;
    options.metrics.onScrape(() => this.#showMetrics());
  }

  /**
   * Reads the marks and holds them against the local log. The shared log need not answer: it is asked before anything
   * is sent. Rejects with WinnowError `partitions_changed`, with `log_replaced` when the local log is not the one that
   * this receiver id was born with, and like the local log.
   */
  static async open(options: ShipperOptions): Promise<Shipper> {
    const { local, shared, receiverId, stateFile, logger, metrics } = options;
    if (local.partitions !== shared.partitions) {
      const message = `the receiver's own log has ${local.partitions} partitions and the shared one ${shared.partitions}`;
      throw new WinnowError("partitions_changed", message);
    }
    const read = await readMarks(stateFile);
    if (read === "unreadable") {
      logger.error("the shipper's marks cannot be read: what the receiver keeps is sent again", { file: stateFile });
    }
    const stored = read === "unreadable" ? null : read;
    const isSameReceiver = stored?.receiver_id === receiverId;
    const marks: ShipMark[] = [];
    for (let partition = 0; partition < local.partitions; partition += 1) {
      const bounds = await local.status("alerts", partition);
      marks.push(fittingMark(stored?.partitions[partition] ?? null, bounds, { isSameReceiver, partition }));
    }
    const onShipped = (records: number): void => {
      metrics.add("winnow_shipped_records_total", {}, records);
    };
    const lanes = marks.map((mark, partition) => ShipLane.open({ ...options, partition, onShipped }, mark));
    return new Shipper(options, await Promise.all(lanes), []);
  }

  start(): void {
    const { signal } = this.#stopping;
    this.#running = Promise.all([...this.#lanes.map((lane) => lane.run(signal)), this.#keep(signal)]);
  }

  /**
   * Ships what waits for a bounded time, then saves the marks; what is left is shipped after the next start. Call it
   * when nothing is appended to the local log any more, and close the logs behind it. Never rejects.
   */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    const drains = this.#lanes.map(async (lane) => lane.shipped(await lane.look(), drainMs));
    await Promise.allSettled(drains);
    this.#stopping.abort();
    // An append under way may take long to end: what comes of it is sent again after the next start.
    const isOver = new AbortController();
    await Promise.race([this.#running, clock.sleep(graceMs, isOver.signal)]);
    isOver.abort();
    await this.#save();
  }

  /** Resolves true when everything below `offset` of the local partition is in the shared log, false after `withinMs`. */
  shipped(partition: number, offset: number, withinMs: number): Promise<boolean> {
    return this.#lanes[partition]?.shipped(offset, withinMs) ?? Promise.resolve(false);
  }

  /** Age of the oldest record that is not in the shared log, ms; 0 when there is none. */
  oldestUnshippedMs(): number {
    return Math.max(...this.#lanes.map((lane) => lane.oldestMs()));
  }

  /** As of the last look at the local log, which is at most about a second old. */
  health(): ShipperHealth {
    return {
      waiting_records: this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0),
      oldest_ms: this.oldestUnshippedMs(),
      reachable: this.#lanes.every((lane) => lane.isWell),
    };
  }

  async #showMetrics(): Promise<void> {
    const { metrics } = this.#options;
    await this.#look();
    const { waiting_records, oldest_ms } = this.health();
    metrics.set("winnow_spool_records", {}, waiting_records);
    metrics.set("winnow_spool_oldest_seconds", {}, oldest_ms / 1_000);
  }

  async #look(): Promise<void> {
    await Promise.allSettled(this.#lanes.map((lane) => lane.look()));
  }

  /** Saves the marks about once a second, and lets old records go now and then. */
  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, keepMs } = this.#options;
    const trimMs = Math.min(trimMsMax, keepMs / 8);
    let trimmedAt = clock.monotonic();
    while (!signal.aborted) {
      await clock.sleep(saveMs, signal);
      if (signal.aborted) break;
      await this.#look();
      await this.#save();
      if (clock.monotonic() - trimmedAt < trimMs) continue;
      trimmedAt = clock.monotonic();
      await this.#trim();
    }
  }

  async #save(): Promise<void> {
    const { receiverId, stateFile, logger } = this.#options;
    const partitions = this.#lanes.map((lane) => lane.mark);
    if (partitions.every((mark, partition) => mark === this.#saved[partition])) return;
    try {
      await writeDurablyAside(stateFile, formatMarks({ receiver_id: receiverId, partitions }));
      this.#saved = partitions;
    } catch (error) {
      logger.warn("the shipper's marks could not be saved; tried again", { file: stateFile, error });
    }
  }

  async #trim(): Promise<void> {
    const { local, logger } = this.#options;
    for (const [partition, mark] of this.#saved.entries()) {
      try {
        await local.trim("alerts", partition, mark.shipped);
      } catch (error) {
        logger.warn("shipped records could not be let go; tried again", { partition, error });
      }
    }
  }
}
