import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import t from "tap";
import { follow, Load, partitions } from "./load.ts";
import { HeardLog, migrate, newPrefix, open, systemClock } from "./support.ts";

t.setTimeout(300_000);

const stepAcks = 1_000;
const pausedMs = 20_000;

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
