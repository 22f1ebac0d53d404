import { WinnowError } from "@winnow/platform";
import { numberOf, tickRecord } from "@winnow/testkit";
import type { KafkaLog } from "../../src/log-kafka/index.ts";
import { systemClock } from "./support.ts";

export const partitions = 4;

/** One writer per partition that numbers its records and repeats what failed, as stages and shippers do. */
export class Load {
  readonly acked: number[][] = Array.from({ length: partitions }, () => []);
  readonly failures: string[] = [];
  readonly #log: KafkaLog;
  readonly #running: Promise<void>;
  #isStopping = false;
  #milestone: { readonly acks: number; readonly reached: () => void } | null = null;

  constructor(log: KafkaLog) {
    this.#log = log;
    this.#running = Promise.all(this.acked.map((_, partition) => this.#write(partition))).then(() => {});
  }

  get acks(): number {
    return this.acked.reduce((sum, offsets) => sum + offsets.length, 0);
  }

  /** Resolves when so many more are acknowledged. */
  async more(acks: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#milestone = { acks: this.acks + acks, reached: resolve };
    await promise;
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    return this.#running;
  }

  async #write(partition: number): Promise<void> {
    const offsets = this.acked[partition] ?? [];
    while (!this.#isStopping) {
      try {
        offsets.push(await this.#log.append("alerts", partition, [tickRecord(offsets.length)]));
      } catch (error) {
        if (!(error instanceof WinnowError) || error.retry === "permanent") throw error;
        this.failures.push(error.code);
        await systemClock.sleep(20);
      }
      if (this.#milestone !== null && this.acks >= this.#milestone.acks) this.#milestone.reached();
    }
  }
}

/** Follows a partition as its owner does; resolves with all numbers in order of their offsets once `stop` says so. */
export async function follow(log: KafkaLog, partition: number, stop: AbortSignal): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    try {
      const records = await log.read("alerts", partition, numbers.length, 1 << 20);
      for (const record of records) if (record.offset === numbers.length) numbers.push(numberOf(record));
      if (records.length > 0) continue;
      if (stop.aborted) return numbers;
      await log.wait("alerts", partition, numbers.length, stop);
    } catch (error) {
      if (!(error instanceof WinnowError) || error.code !== "log_read_failed") throw error;
      await systemClock.sleep(50);
    }
  }
}
