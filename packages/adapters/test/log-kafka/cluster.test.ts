import { join } from "node:path";
import { freePort, kafkaSettings, type Tool } from "@winnow/devservers";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { formatNode, type KafkaProgram, kafkaProgram, newClusterId } from "./kafka-process.ts";
import { follow, Load, partitions } from "./load.ts";
import { HeardLog, migrate, newPrefix, open, withAdmin } from "./support.ts";

t.setTimeout(300_000);

interface Broker {
  readonly address: string;
  readonly start: () => Promise<Tool>;
  tool: Tool;
}

/** A controller, and three brokers that keep three copies of everything. */
async function startCluster(t: Test, program: KafkaProgram): Promise<readonly Broker[]> {
  const folder = testFolder(t, { "1": {}, "2": {}, "3": {}, "4": {} });
  const clusterId = newClusterId();
  const controllerPort = await freePort();
  const shared = { ...kafkaSettings, "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}` };
  const startController = await formatNode(program, {
    folder: join(folder, "4"),
    clusterId,
    format: ["--standalone"],
    settings: {
      ...shared,
      "process.roles": "controller",
      "node.id": "4",
      listeners: `CONTROLLER://127.0.0.1:${controllerPort}`,
      "log.dirs": join(folder, "4", "data"),
    },
  });
  const controller = await startController();
  t.teardown(() => controller.stop());
  return Promise.all(
    [1, 2, 3].map(async (id) => {
      const place = join(folder, String(id));
      const address = `127.0.0.1:${await freePort()}`;
      const start = await formatNode(program, {
        folder: place,
        clusterId,
        format: [],
        settings: {
          ...shared,
          "process.roles": "broker",
          "node.id": String(id),
          listeners: `PLAINTEXT://${address}`,
          "log.dirs": join(place, "data"),
          "offsets.topic.replication.factor": "3",
          "replica.lag.time.max.ms": "3000",
        },
      });
      const broker: Broker = { address, start, tool: await start() };
      t.teardown(() => broker.tool.stop());
      return broker;
    }),
  );
}

const program = await kafkaProgram(t);
const skip = typeof program === "string" ? `no Kafka: ${program}` : false;

await t.test("a leader that is killed costs neither records nor order: another one takes over", { skip }, async (t) => {
  if (typeof program === "string") return;
  const brokers = await startCluster(t, program);
  const addresses = brokers.map(({ address }) => address);
  const place = { brokers: addresses, topicPrefix: newPrefix() };
  await migrate(place, { replicationFactor: 3 });
  const heard = new HeardLog();
  const log = await open(place, { log: heard });
  const reader = await open(place);
  const stop = new AbortController();
  const following = Array.from({ length: partitions }, (_, partition) => follow(reader, partition, stop.signal));
  const load = new Load(log);
  const leaders = async () =>
    withAdmin(addresses, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [`${place.topicPrefix}alerts`] });
      return topics[0]?.partitions.map(({ leader }) => leader) ?? [];
    });

  await load.more(800);
  const before = await leaders();
  const [victim = 1] = before;
  const broker = brokers[victim - 1];
  await broker?.tool.kill();
  // More than the others could do alone, so the victim's partitions go on too.
  const atKill = load.acked.map((offsets) => offsets.length);
  while (load.acked.some((offsets, partition) => offsets.length < (atKill[partition] ?? 0) + 50)) await load.more(50);
  t.notOk((await leaders()).includes(victim), "others lead");
  if (broker !== undefined) broker.tool = await broker.start();
  await load.more(800);
  await load.stop();
  const ends = await Promise.all(load.acked.map((_, partition) => reader.bounds("alerts", partition)));
  stop.abort();

  for (const [partition, numbers] of (await Promise.all(following)).entries()) {
    t.equal(numbers.length, ends[partition]?.end_offset);
    t.same(
      load.acked[partition]?.filter((offset, number) => numbers[offset] !== number),
      [],
    );
    t.same(
      numbers,
      numbers.map((_, n) => n),
      "each once, in order",
    );
  }
  t.comment(`led by ${before.join()}; ${load.acks} acknowledged, ${JSON.stringify(log.health())}`);
  t.same(load.failures, []);
  t.same(
    heard.lines.filter(({ level }) => level === "error"),
    [],
  );
  await log.close();
  await reader.close();
});
