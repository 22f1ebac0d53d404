import { setImmediate } from "node:timers/promises";
import type { LogValue } from "@winnow/contracts";
import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { numberOf, readAll, tickRecord } from "@winnow/testkit";
import kafkajs, { Kafka, logLevel, Partitioners, type ProducerRecord } from "kafkajs";
import t, { type Test } from "tap";
import type { KafkaLogOptions } from "../../src/log-kafka/index.ts";
import {
  codeOf,
  HeardLog,
  migrate,
  newPrefix,
  numbersIn,
  open,
  type Place,
  removeTopics,
  systemClock,
  withAdmin,
} from "./support.ts";
import { api, tapWire } from "./wire-tap.ts";

t.setTimeout(240_000);
const servers = await sharedServers(t, ["kafka"]);
const skip = skipWithout(servers, "kafka");
const brokers = servers.kafka?.brokers ?? [];

async function newPlace(t: Test): Promise<Place> {
  const place = { brokers, topicPrefix: newPrefix() };
  t.teardown(() => removeTopics(place));
  await migrate(place);
  return place;
}

async function opened(t: Test, place: Place, more: Partial<KafkaLogOptions> = {}) {
  const log = await open(place, more);
  t.teardown(() => log.close());
  return log;
}

/** Writes as any other program would. */
async function sendForeign(place: Place, record: Omit<ProducerRecord, "topic">): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic: `${place.topicPrefix}alerts`, ...record });
  } finally {
    await producer.disconnect();
  }
}

function wide(number: number, bytes: number): { value: LogValue; events: number } {
  const value = { ...tickRecord(number).value, delivered_ms: { ["x".repeat(bytes)]: 1 } } as LogValue;
  return { value, events: 0 };
}

function eventsRecord(receivedMs: number): { value: LogValue; events: number } {
  return { value: { kind: "events", receiver_id: "r", seq: 1, received_ms: receivedMs, items: [] }, events: 1 };
}

await t.test(
  "a damaged record and one that is not ours are refused, those before them are served",
  { skip },
  async (t) => {
    const place = await newPlace(t);
    const log = await opened(t, place);
    await log.append("alerts", 0, [tickRecord(0), tickRecord(1)]);
    await sendForeign(place, {
      messages: [{ partition: 0, value: JSON.stringify(tickRecord(2).value), headers: { crc32: "12345" } }],
    });
    await sendForeign(place, { messages: [{ partition: 1, value: "hello" }] });
    t.same((await log.read("alerts", 0, 0, 1 << 20)).map(numberOf), [0, 1]);
    t.equal(await codeOf(log.read("alerts", 0, 2, 1 << 20)), "log_corrupt");
    t.equal(await codeOf(log.read("alerts", 1, 0, 1 << 20)), "log_corrupt");
  },
);

await t.test("a topic that the broker compresses can be read back", { skip }, async (t) => {
  const place = await newPlace(t);
  await withAdmin(brokers, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: `${place.topicPrefix}alerts`,
          configEntries: [
            { name: "compression.type", value: "gzip" },
            { name: "message.timestamp.type", value: "LogAppendTime" },
          ],
        },
      ],
    }),
  );
  const log = await opened(t, place);
  await log.append("alerts", 0, [wide(0, 20_000), wide(1, 20_000)]);
  t.same(await numbersIn(log, 0), [0, 1]);
});

await t.test("a record that is larger than the topic takes is refused for good, others go on", { skip }, async (t) => {
  const place = await newPlace(t);
  await migrate(place, { messageBytesMax: 100_000 });
  const log = await opened(t, place);
  t.equal(await codeOf(log.append("alerts", 0, [wide(0, 100_000)])), "log_record_too_large");
  await setImmediate();
  t.equal(await log.append("alerts", 0, [wide(1, 60_000), wide(2, 60_000), wide(3, 60_000)]), 0, "in several batches");
  t.same(await numbersIn(log, 0), [1, 2, 3]);
  t.equal(log.health().refused.too_large, 1);
});

await t.test("a limit that was lowered since is met record by record", { skip }, async (t) => {
  const place = await newPlace(t);
  const log = await opened(t, place);
  await migrate(place, { messageBytesMax: 50_000 });
  while ((await codeOf(log.append("alerts", 3, [wide(0, 60_000)]))) !== "log_record_too_large") await setImmediate();
  const codes = [wide(0, 20_000), wide(1, 20_000), wide(2, 20_000), wide(3, 60_000), wide(4, 20_000)].map((record) =>
    codeOf(log.append("alerts", 0, [record])),
  );
  t.strictSame(await Promise.all(codes), ["none", "none", "none", "log_record_too_large", "log_write_failed"]);
  t.same(await numbersIn(log, 0), [0, 1, 2]);
  await setImmediate();
  t.equal(await log.append("alerts", 0, [tickRecord(5)]), 3);
});

await t.test(
  "a receiver's record tells its age on the receiver's own clock, whatever that shows",
  { skip },
  async (t) => {
    const place = await newPlace(t);
    // An hour behind the broker, as every record of this receiver is.
    const now = 1_000_000_000_000;
    const log = await opened(t, place, { clock: { ...systemClock, now: () => now } });
    const before = Date.now();
    await log.append("alerts", 0, [eventsRecord(now - 1_500), eventsRecord(now + 10), tickRecord(3)]);
    const [late, ahead, tick] = await readAll(log, { topic: "alerts", partition: 0 });
    t.equal(late?.age_ms, 1_500);
    t.equal(ahead?.age_ms, 0, "never below 0");
    t.notOk(tick !== undefined && "age_ms" in tick, "others have none");
    const appended = late?.appended_ms ?? 0;
    t.ok(appended >= before - 1 && appended <= Date.now() + 1, "the log's own time is the broker's");
  },
);

await t.test("records that several processes append at once are one log for all", { skip }, async (t) => {
  const place = await newPlace(t);
  const logs = [await opened(t, place), await opened(t, place), await opened(t, place)];
  const offsets = await Promise.all(
    logs.flatMap((log, who) =>
      Array.from({ length: 30 }, (_, n) =>
        log.append("alerts", 0, [tickRecord(who * 1000 + n * 2, 1), tickRecord(who * 1000 + n * 2 + 1, 2)]),
      ),
    ),
  );
  t.equal(new Set(offsets).size, 90);
  const [first, ...others] = await Promise.all(logs.map((log) => numbersIn(log, 0)));
  t.equal(first?.length, 180);
  for (const other of others) t.strictSame(other, first);
  for (const who of [0, 1, 2]) {
    const mine = first?.filter((number) => Math.floor(number / 1000) === who);
    t.strictSame(
      mine,
      Array.from({ length: 60 }, (_, n) => who * 1000 + n),
    );
  }
  t.strictSame(await Promise.all(logs.map(async (log) => (await log.status("alerts", 0)).events)), [270, 270, 270]);
});

await t.test("a wait is woken by what another process appends", { skip }, async (t) => {
  const place = await newPlace(t);
  const reader = await opened(t, place, { pollMs: 60_000 });
  const writer = await opened(t, place);
  const waits = [0, 1, 2].map((partition) => reader.wait("transitions", partition, 0, AbortSignal.timeout(50_000)));
  for (const partition of [2, 0, 1]) await writer.append("transitions", partition, [tickRecord(partition)]);
  t.strictSame(await Promise.all(waits), [true, true, true]);
});

await t.test("what another process let go is told apart from what never was", { skip }, async (t) => {
  const place = await newPlace(t);
  const owner = await opened(t, place, { retention: { maxAgeMs: 0 } });
  const other = await opened(t, place);
  for (let n = 0; n < 6; n += 1) await owner.append("transitions", 0, [tickRecord(n)]);
  t.same((await other.read("transitions", 0, 0, 1)).map(numberOf), [0]);
  await owner.trim("transitions", 0, 4);
  t.equal(await codeOf(other.read("transitions", 0, 3, 1)), "log_offset_trimmed");
  t.same(await numbersIn(other, 0, "transitions"), [4, 5]);
  t.equal(await codeOf(other.read("transitions", 0, 7, 1)), "log_offset_beyond_end");
  t.match(await other.bounds("transitions", 0), { start_offset: 4, end_offset: 6 });
});

await t.test(
  "a count goes on from where another process stored it, and from what a caller knows",
  { skip },
  async (t) => {
    const place = await newPlace(t);
    const owner = await open(place, { retention: { maxAgeMs: 0 } });
    for (let n = 0; n < 20; n += 1) await owner.append("alerts", 0, [tickRecord(n, 3)]);
    await readAll(owner, { topic: "alerts", partition: 0 });
    await owner.trim("alerts", 0, 10);
    await owner.close();
    const log = await opened(t, place);
    t.match(await log.status("alerts", 0), { start_offset: 10, end_offset: 20, events: 60 });
    const sent = tapWire(t, () => "pass");
    t.match(await log.status("alerts", 0, { offset: 15, events: 1_000 }), { events: 1_015 });
    await log.append("alerts", 0, [tickRecord(20, 5)]);
    t.match(await log.status("alerts", 0, { offset: 16, events: 1_003 }), { events: 1_020 });
    t.match(await log.status("alerts", 0), { events: 65 });
    t.match(await log.status("alerts", 0, { offset: 21, events: 1_020 }), { events: 1_020 });
    // Four questions for the bounds; one fetch counts from 15 on, two the new record.
    t.equal(sent(api.fetch), 7);
  },
);

await t.test("records that Kafka removed before they were counted are said to be missing", { skip }, async (t) => {
  const place = await newPlace(t);
  const writer = await opened(t, place);
  for (let n = 0; n < 4; n += 1) await writer.append("alerts", 0, [tickRecord(n, 1)]);
  // kafkajs' admin does not wait for a partition that has no leader yet.
  for (let partition = 0; partition < writer.partitions; partition += 1) await writer.bounds("alerts", partition);
  const topic = `${place.topicPrefix}alerts`;
  await withAdmin(brokers, async (admin) => {
    // kafkajs learns of the topic only from this question.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "3" }] });
  });
  const heard = new HeardLog();
  const log = await opened(t, place, { log: heard });
  t.match(await log.status("alerts", 0), { start_offset: 3, end_offset: 4, events: 1 });
  t.match(heard.lines, [{ level: "warn", fields: { from: 0, to: 3 } }]);
});

await t.test("records go only as far as they are counted, a bounded amount at a time", { skip }, async (t) => {
  const place = await newPlace(t);
  const writer = await opened(t, place);
  // More than one step reads: each record fills a chunk of its own.
  const record = { ...wide(0, 3 * 1024 * 1024), events: 1 };
  for (let n = 0; n < 20; n += 1) await writer.append("alerts", 0, [record]);
  const owner = await opened(t, place, { retention: { maxAgeMs: 0 } });
  const starts: number[] = [];
  for (let n = 0; n < 2; n += 1) {
    await owner.trim("alerts", 0, 19);
    starts.push((await owner.bounds("alerts", 0)).start_offset);
  }
  t.strictSame(starts, [16, 19]);
  t.match(await owner.status("alerts", 0), { start_offset: 19, end_offset: 20, events: 20 });
});

await t.test(
  "an owner that reads and trims has its count stored without reading anything twice",
  { skip },
  async (t) => {
    const place = await newPlace(t);
    let aheadMs = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs };
    const owner = await opened(t, place, { clock });
    aheadMs += 60_000;
    await owner.trim("alerts", 0, 0);
    for (let n = 0; n < 50; n += 1) await owner.append("alerts", 0, [tickRecord(n, 2)]);
    await readAll(owner, { topic: "alerts", partition: 0 });
    aheadMs += 60_000;
    const sent = tapWire(t, () => "pass");
    await owner.trim("alerts", 0, 50);
    t.equal(sent(api.fetch), 1, "for the bounds alone");
    t.equal(sent(api.produce), 1, "the count");
    const other = await opened(t, place);
    t.equal((await other.status("alerts", 0)).events, 100);
    // Bounds of the log and of the counts, the counts themselves, and nothing of the log.
    t.equal(sent(api.fetch), 4);
  },
);
