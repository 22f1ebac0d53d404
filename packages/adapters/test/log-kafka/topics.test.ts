import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { tickRecord } from "@winnow/testkit";
import kafkajs, { type Admin } from "kafkajs";
import t, { type Test } from "tap";
import {
  codeOf,
  migrate,
  newPrefix,
  numbersIn,
  open,
  type Place,
  removeTopics,
  systemClock,
  withAdmin,
} from "./support.ts";
import { api, capVersion } from "./wire-tap.ts";

t.setTimeout(240_000);
const servers = await sharedServers(t, ["kafka"]);
const skip = skipWithout(servers, "kafka");
const brokers = servers.kafka?.brokers ?? [];

function newPlace(t: Test): Place {
  const place = { brokers, topicPrefix: newPrefix() };
  t.teardown(() => removeTopics(place));
  return place;
}

async function configOf(admin: Admin, topic: string): Promise<Map<string, string>> {
  const { resources } = await admin.describeConfigs({
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    includeSynonyms: false,
  });
  return new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]));
}

/** Resolves once the broker says that it has taken them. */
async function set(admin: Admin, name: string, entries: Record<string, string>): Promise<void> {
  const configEntries = Object.entries(entries).map(([key, value]) => ({ name: key, value }));
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name, configEntries }],
  });
  const isTaken = async () => {
    const config = await configOf(admin, name);
    return configEntries.every((entry) => config.get(entry.name) === entry.value);
  };
  while (!(await isTaken())) await systemClock.sleep(20);
}

const messageOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: unknown) => (error as Error).message,
  );

await t.test("more copies than there are brokers are refused, and it says what to ask for", { skip }, async (t) => {
  const refused = migrate(newPlace(t), { replicationFactor: brokers.length + 1 });
  t.match(await messageOf(refused), /fewer brokers than the \d+ copies .* replication=1 /);
  t.equal(await codeOf(refused), "config_invalid");
});

await t.test("migrate makes the topics as the log needs them, and then has nothing to do", { skip }, async (t) => {
  const place = newPlace(t);
  const report = await migrate(place, {
    partitions: 3,
    messageBytesMax: 2_000_000,
    retention: { maxAgeMs: 7 * 86_400_000, partitionBytesMax: 10_000_000_000 },
  });
  const names = ["alerts", "transitions", "incident-events", "counts"].map((name) => `${place.topicPrefix}${name}`);
  t.strictSame([...report.created].toSorted(), names.toSorted());
  await withAdmin(brokers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const counts = new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
    t.strictSame(
      names.map((name) => counts.get(name)),
      [3, 3, 3, 1],
    );
    t.match(Object.fromEntries(await configOf(admin, `${place.topicPrefix}alerts`)), {
      "retention.ms": "-1",
      "retention.bytes": "10000000000",
      "segment.ms": "75600000",
      "min.insync.replicas": "1",
      "max.message.bytes": "2000000",
      "message.timestamp.type": "LogAppendTime",
      "cleanup.policy": "delete",
      "unclean.leader.election.enable": "false",
    });
    t.equal((await configOf(admin, `${place.topicPrefix}counts`)).get("cleanup.policy"), "compact");
  });
  const again = { partitions: 3, messageBytesMax: 2_000_000 };
  t.strictSame(
    await migrate(place, { ...again, retention: { maxAgeMs: 7 * 86_400_000, partitionBytesMax: 10_000_000_000 } }),
    {
      created: [],
      changed: [],
    },
  );
});

await t.test("migrate mends what differs and leaves alone what others have set", { skip }, async (t) => {
  const place = newPlace(t);
  await migrate(place);
  const topic = `${place.topicPrefix}transitions`;
  await withAdmin(brokers, async (admin) => {
    await set(admin, topic, { "message.timestamp.type": "CreateTime", "segment.bytes": "123456789" });
    t.equal(await codeOf(open(place)), "store_unsuitable");
    t.match(await messageOf(open(place)), /transitions has message\.timestamp\.type CreateTime.*`winnow migrate`/);
    const { created, changed } = await migrate(place);
    t.strictSame(created, []);
    t.match(
      changed.filter((one) => one.setting === "message.timestamp.type"),
      [{ topic, from: "CreateTime", to: "LogAppendTime" }],
    );
    const config = await configOf(admin, topic);
    t.equal(config.get("segment.bytes"), "123456789");
    t.equal(config.get("message.timestamp.type"), "LogAppendTime");
    t.equal(config.get("retention.ms"), "-1");
  });
  await (await open(place)).close();
});

await t.test("another number of partitions is refused, by migrate and by open", { skip }, async (t) => {
  const place = newPlace(t);
  await migrate(place);
  t.equal(await codeOf(migrate(place, { partitions: 5 })), "partitions_changed");
  t.equal(await codeOf(open(place, { partitions: 5 })), "partitions_changed");
  const topic = `${place.topicPrefix}alerts`;
  await withAdmin(brokers, async (admin) => {
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
    const count = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions.length;
    while ((await count()) !== 5) await systemClock.sleep(20);
  });
  t.equal(await codeOf(open(place)), "partitions_changed");
  t.equal(await codeOf(migrate(place)), "partitions_changed");
});

await t.test("a log that is not there, or not reached, is refused with what to do", { skip }, async (t) => {
  const place = newPlace(t);
  t.equal(await codeOf(open(place)), "store_unsuitable");
  t.match(await messageOf(open(place)), /no topic .*alerts.*run `winnow migrate`/);
  // Port 9 discards; nothing listens there.
  const nowhere = { ...place, brokers: ["127.0.0.1:9"] };
  t.equal(await codeOf(open(nowhere, { readMs: 100, connectMs: 500 })), "store_unavailable");
  t.equal(await codeOf(open({ ...place, brokers: [] })), "config_invalid");
  t.equal(await codeOf(open({ ...place, brokers: ["no-port"] })), "config_invalid");
  t.equal(await codeOf(migrate({ ...place, brokers: ["::1:9092"] })), "config_invalid");
});

await t.test("one broker of the list that answers is enough", { skip }, async (t) => {
  const place = newPlace(t);
  await migrate({ ...place, brokers: ["127.0.0.1:9", ...brokers] });
  const log = await open({ ...place, brokers: ["127.0.0.1:9", ...brokers] });
  t.equal(await log.append("alerts", 0, [tickRecord(1)]), 0);
  await log.close();
});

await t.test("a topic that was made again is never read or written in place of the old one", { skip }, async (t) => {
  const place = newPlace(t);
  await migrate(place);
  const log = await open(place, { readMs: 2_000, appendMs: 2_000 });
  const born = (await log.status("alerts", 0)).log_id;
  await log.append("alerts", 0, [tickRecord(0), tickRecord(1)]);
  t.same(await numbersIn(log, 0), [0, 1]);
  const waiting = new AbortController();
  const waited = log.wait("alerts", 0, 2, waiting.signal);
  await removeTopics(place);
  t.match(await codeOf(log.read("alerts", 0, 2, 1000)), /^log_(read_failed|replaced)$/);
  await migrate(place);
  const other = await open(place);
  // Past the old position, so that only the topic's id tells the two apart.
  for (let n = 0; n < 5; n += 1) await other.append("alerts", 0, [tickRecord(100 + n)]);
  t.equal(await codeOf(log.read("alerts", 0, 2, 1000)), "log_replaced");
  t.equal(await codeOf(log.append("alerts", 0, [tickRecord(2)])), "log_replaced");
  t.equal(await codeOf(log.status("alerts", 0)), "log_replaced");
  t.same(await numbersIn(other, 0), [100, 101, 102, 103, 104]);
  t.not((await other.status("alerts", 0)).log_id, born);
  waiting.abort();
  t.equal(await waited, false);
  await log.close();
  await other.close();
});

await t.test(
  "brokers before 4.1, which take a produce only by the topic's name, are written too",
  { skip },
  async (t) => {
    capVersion(t, api.produce, 12);
    const place = newPlace(t);
    await migrate(place);
    const log = await open(place);
    t.equal(await log.append("alerts", 1, [tickRecord(0), tickRecord(1)]), 0);
    t.equal(await log.append("alerts", 1, [tickRecord(2)]), 2);
    t.same(await numbersIn(log, 1), [0, 1, 2]);
    await log.close();
  },
);

await t.test("brokers that are too old are refused with what is needed", { skip }, async (t) => {
  capVersion(t, api.fetch, 12);
  const place = newPlace(t);
  t.equal(await codeOf(open(place)), "store_unsuitable");
  t.match(await messageOf(open(place)), /needs Apache Kafka 4/);
});
