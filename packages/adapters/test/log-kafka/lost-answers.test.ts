import { setImmediate } from "node:timers/promises";
import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { numberOf, tickRecord } from "@winnow/testkit";
import t, { type Test } from "tap";
import type { KafkaLogOptions } from "../../src/log-kafka/index.ts";
import { codeOf, fastClock, HeardLog, migrate, newPrefix, numbersIn, open, removeTopics } from "./support.ts";
import { api, type Fate, tapWire } from "./wire-tap.ts";

t.setTimeout(240_000);
const servers = await sharedServers(t, ["kafka"]);
const skip = skipWithout(servers, "kafka");
const brokers = servers.kafka?.brokers ?? [];

async function openNew(t: Test, more: Partial<KafkaLogOptions> = {}) {
  const place = { brokers, topicPrefix: newPrefix() };
  await migrate(place);
  const log = await open(place, more);
  t.teardown(async () => {
    await log.close();
    await removeTopics(place);
  });
  return log;
}

/** The fate of the requests of one kind, one after the other; all later ones pass. */
function fates(apiKey: number, ...list: Fate[]): (seen: number) => Fate {
  return (seen) => (seen === apiKey ? (list.shift() ?? "pass") : "pass");
}

await t.test(
  "requests that come at the same time share one connection, so that none stays open",
  { skip },
  async (t) => {
    const log = await openNew(t);
    await log.append("alerts", 0, [tickRecord(7)]);
    const sent = tapWire(t, () => "pass");
    await Promise.all(Array.from({ length: 8 }, () => log.bounds("alerts", 0)));
    t.equal(sent(api.apiVersions), 1, "each new connection begins with that question");
  },
);

await t.test("a fetch that hangs is cut, counted, and done again within 30 s", { skip }, async (t) => {
  const clock = fastClock(20);
  const log = await openNew(t, { clock });
  await log.append("alerts", 0, [tickRecord(7)]);
  t.equal(log.health().late, 0);
  const sent = tapWire(t, fates(api.fetch, "swallow"));
  const started = clock.monotonic();
  t.same((await log.read("alerts", 0, 0, 1000)).map(numberOf), [7]);
  const took = clock.monotonic() - started;
  t.ok(took > 9_000 && took < 30_000, `with the settings of the product it takes ${Math.round(took / 1000)} s`);
  t.equal(log.health().late, 1);
  t.equal(sent(api.fetch), 2);
});

await t.test("a long poll that hangs is cut, counted, and done again within 30 s", { skip }, async (t) => {
  const clock = fastClock(20);
  const heard = new HeardLog();
  const log = await openNew(t, { clock, log: heard });
  tapWire(t, fates(api.fetch, "swallow"));
  const started = clock.monotonic();
  const cut = heard.next("Kafka does not answer");
  const waiting = log.wait("alerts", 0, 0, new AbortController().signal);
  // Appended by the same process, so that the long poll is not what tells of it: then wait for the next one.
  await log.append("alerts", 0, [tickRecord(1)]);
  t.equal(await waiting, true);
  const polled = log.wait("alerts", 0, 1, AbortSignal.timeout(60_000));
  await cut;
  t.equal(log.health().late, 1);
  await log.append("alerts", 0, [tickRecord(2)]);
  t.equal(await polled, true);
  const took = clock.monotonic() - started;
  t.ok(took < 30_000, `it takes ${Math.round(took / 1000)} s`);
});

await t.test(
  "an append whose answer is lost is written once, at the offset that it resolves with",
  { skip },
  async (t) => {
    const log = await openNew(t, { requestMs: 400 });
    tapWire(t, fates(api.produce, "lose_answer", "lose_answer", "break"));
    t.equal(await log.append("alerts", 0, [tickRecord(0), tickRecord(1)]), 0);
    t.equal(await log.append("alerts", 0, [tickRecord(2)]), 2);
    t.same(await numbersIn(log, 0), [0, 1, 2]);
    t.equal(log.health().late, 2);
  },
);

await t.test(
  "an append that is given up may be there, and the next one is never taken for its repetition",
  { skip },
  async (t) => {
    const log = await openNew(t, { requestMs: 300, appendMs: 500 });
    let isLosing = true;
    tapWire(t, (seen) => (isLosing && seen === api.produce ? "lose_answer" : "pass"));
    await log.read("alerts", 0, 0, 1);
    t.equal(await codeOf(log.append("alerts", 0, [tickRecord(0)])), "log_unknown");
    isLosing = false;
    await setImmediate();
    await log.append("alerts", 0, [tickRecord(1)]);
    await log.append("alerts", 0, [tickRecord(2)]);
    t.same(await numbersIn(log, 0), [0, 1, 2]);
  },
);

await t.test("a failed append takes down those behind it, which surely were not written", { skip }, async (t) => {
  const log = await openNew(t, { requestMs: 300, appendMs: 500, connectMs: 300 });
  let isDown = false;
  await log.append("alerts", 0, [tickRecord(0)]);
  isDown = true;
  tapWire(t, (seen) => (isDown && seen === api.produce ? "swallow" : "pass"));
  const first = codeOf(log.append("alerts", 0, [tickRecord(1)]));
  await setImmediate();
  const second = codeOf(log.append("alerts", 0, [tickRecord(2)]));
  t.equal(await first, "log_unknown");
  t.equal(await second, "log_write_failed");
  isDown = false;
  await setImmediate();
  await log.append("alerts", 0, [tickRecord(3)]);
  t.same(await numbersIn(log, 0), [0, 3]);
  t.equal(log.health().write_failures, 1);
});

await t.test("what waits for Kafka is bounded", { skip }, async (t) => {
  const log = await openNew(t, { requestMs: 300, appendMs: 500, pendingBytesMax: 450 });
  let isDown = true;
  tapWire(t, (seen) => (isDown && seen === api.produce ? "swallow" : "pass"));
  const first = codeOf(log.append("alerts", 0, [tickRecord(0)]));
  await setImmediate();
  const second = codeOf(log.append("alerts", 0, [tickRecord(1)]));
  t.equal(await codeOf(log.append("alerts", 0, [tickRecord(2), tickRecord(3)])), "log_full");
  t.same([await first, await second], ["log_unknown", "log_write_failed"]);
  t.equal(log.health().refused.queue_full, 1);
  isDown = false;
  await setImmediate();
  t.equal(await log.append("alerts", 0, [tickRecord(4)]), 0);
});

await t.test("a read that finds no broker is refused as one to try again", { skip }, async (t) => {
  const log = await openNew(t, { requestMs: 200, readMs: 300 });
  await log.append("alerts", 0, [tickRecord(0)]);
  let isDown = true;
  tapWire(t, () => (isDown ? "break" : "pass"));
  t.equal(await codeOf(log.read("alerts", 0, 0, 1)), "log_read_failed");
  t.equal(await codeOf(log.status("alerts", 0)), "log_read_failed");
  t.equal(log.health().reachable, false);
  isDown = false;
  t.same(await numbersIn(log, 0), [0]);
  t.equal(log.health().reachable, true);
});
