import { WinnowError } from "@winnow/platform";
import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { numberOf, tickRecord } from "@winnow/testkit";
import t from "tap";
import type { KafkaLog } from "../../src/log-kafka/index.ts";
import { HeardLog, migrate, newPrefix, open, systemClock } from "./support.ts";

t.setTimeout(300_000);

const partitions = 4;
const stepAcks = 1_000;
const pausedMs = 20_000;

/** One writer per partition that numbers its records and repeats what failed, as stages and shippers do. */
class Load {
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
async function follow(log: KafkaLog, partition: number, stop: AbortSignal): Promise<number[]> {
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

await t.test("a broker that is killed, started and frozen for 20 s loses nothing and reorders nothing", async (t) => {
  const servers = await ownServers(t, ["kafka"]);
  const { controls, brokers = [] } = servers.kafka ?? {};
  if (controls === undefined) {
    t.pass("a broker of our own", { skip: skipWithout(servers, "kafka") || "no controls" });
    return;
  }
  const place = { brokers, topicPrefix: newPrefix() };
  const heard = new HeardLog();
  await migrate(place);
  const log = await open(place, { log: heard });
  const reader = await open(place);
  const stop = new AbortController();
  const following = Array.from({ length: partitions }, (_, partition) => follow(reader, partition, stop.signal));
  const load = new Load(log);

  await load.more(stepAcks);
  await controls.kill9();
  await controls.start();
  await load.more(stepAcks);
  await controls.pause();
  await systemClock.sleep(pausedMs);
  await controls.resume();
  await load.more(stepAcks);
  await load.stop();
  const ends = await Promise.all(load.acked.map((_, partition) => reader.bounds("alerts", partition)));
  stop.abort();

  const read = await Promise.all(following);
  for (const [partition, numbers] of read.entries()) {
    const offsets = load.acked[partition] ?? [];
    t.equal(numbers.length, ends[partition]?.end_offset, "the reader came to the end by itself");
    const misplaced = offsets.filter((offset, number) => numbers[offset] !== number);
    t.same(misplaced, [], `all ${offsets.length} that were acknowledged are where the answer said`);
    t.same(
      numbers,
      numbers.map((_, n) => n),
      "each once, in order",
    );
  }
  t.comment(`${load.acks} acknowledged, ${load.failures.length} refused, ${JSON.stringify(log.health())}`);
  t.same(load.failures, [], "the writers did not even notice");
  t.ok(log.health().late >= 1, "a request that found no answer was counted");
  t.same(
    heard.lines.map(({ level, message }) => `${level}: ${message}`).filter((line) => line.startsWith("error")),
    [],
  );
  t.match(heard.lines, [
    { level: "warn", message: /does not answer/ },
    { level: "info", message: /answers again/ },
  ]);
  await log.close();
  await reader.close();
});
