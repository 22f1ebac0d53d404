import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { migrateKafka, openKafkaLog } from "@winnow/adapters/log-kafka";
import { openSegmentLog } from "@winnow/adapters/log-segment";
import { fieldsFirst, Metrics, silentLogger } from "@winnow/platform";
import type { Clock, EventLog, StoredRecord } from "@winnow/ports";
import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { readAll } from "@winnow/testkit";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { createHttpServer } from "../src/http-server.ts";
import { webhookRoutes } from "../src/inbound.ts";
import { receiverLimits } from "../src/limits.ts";
import { localReceiver } from "../src/local-identity.ts";
import { Receiver } from "../src/receiver.ts";
import { Shipper } from "../src/shipper.ts";
import { alerts, integration, token } from "./support/world.ts";

t.setTimeout(300_000);

const partitions = 4;
const logger = silentLogger();
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
};

/** A receiver on a directory of its own, as a node of a cluster runs it. */
async function startReceiver(directory: string, shared: EventLog) {
  const dir = join(directory, "log");
  const stateFile = join(directory, "shipped.json");
  const retention = { maxAgeMs: 3_600_000, maxBytes: 1024 ** 3 };
  const local = await openSegmentLog({ dir, partitions, retention, clock, log: fieldsFirst(logger) });
  const ids = { token: () => randomBytes(16).toString("hex") };
  const { receiverId, lastSeqs } = await localReceiver({ dir, local, stateFile, ids, logger });
  const metrics = new Metrics();
  const common = { receiverId, clock, logger, metrics };
  const shipper = await Shipper.open({ ...common, local, shared, stateFile, keepMs: 3_600_000 });
  const replicated: boolean[] = [];
  const receiver = new Receiver({
    ...common,
    integrations: [integration("prom")],
    log: local,
    lastSeqs,
    afterDurable: async (ends) => {
      const waits = [...ends].map(([partition, end]) => shipper.shipped(partition, end, 250));
      replicated.push((await Promise.all(waits)).every(Boolean));
    },
  });
  shipper.start();
  const app = createHttpServer(receiverLimits);
  webhookRoutes(app, receiver);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const post = async (...names: string[]): Promise<number> => {
    const headers = { "x-winnow-token": token };
    const response = await fetch(`${url}/v1/in/prom`, { method: "POST", headers, body: alerts(...names) });
    await response.text();
    return response.status;
  };
  const stop = async (): Promise<void> => {
    await app.close();
    await shipper.stop();
    await local.close();
  };
  return { post, replicated, shipper, stop, receiverId };
}

/** What readers take in: repetitions dropped by mark. Throws at a gap. */
function takenIn(records: readonly StoredRecord[]): string[] {
  const titles: string[] = [];
  let mark = 0;
  for (const { value } of records) {
    if (value.kind !== "events" || value.seq <= mark) continue;
    if (value.seq !== mark + 1) throw new Error(`seq ${value.seq} comes after ${mark}`);
    mark = value.seq;
    for (const item of value.items) if ("title" in item) titles.push(item.title);
  }
  return titles;
}

await t.test("Kafka away under posts: none is refused, and all arrive in order when it is back", async (t) => {
  const servers = await ownServers(t, ["kafka"]);
  const { controls, brokers = [] } = servers.kafka ?? {};
  if (controls === undefined) {
    t.pass("a broker of our own", { skip: skipWithout(servers, "kafka") || "no controls" });
    return;
  }
  const topicPrefix = `test-${randomBytes(6).toString("hex")}.`;
  const retention = { maxAgeMs: 86_400_000 };
  const place = { brokers, topicPrefix, partitions, clock, log: logger, retention };
  await migrateKafka({ ...place, replicationFactor: 1 });
  // Short enough that appends are given up, and repeated by the shipper, while the broker is away.
  const shared = await openKafkaLog({ ...place, appendMs: 1_000, requestMs: 2_000 });
  const directory = testFolder(t);
  let receiver = await startReceiver(directory, shared);
  const sent: string[] = [];
  const refused: number[] = [];
  const postSome = async (): Promise<void> => {
    const names = Array.from({ length: 8 }, (_, at) => `alert ${sent.length + at}`);
    const answers = await Promise.all([receiver.post(...names.slice(0, 5)), receiver.post(...names.slice(5))]);
    sent.push(...names);
    refused.push(...answers.filter((status) => status !== 202));
  };
  const postUntil = async (isEnough: () => boolean): Promise<void> => {
    const from = sent.length;
    while (!isEnough() || sent.length - from < 400) await postSome();
  };

  await postUntil(() => receiver.shipper.health().reachable);
  const isQuick = receiver.replicated.filter(Boolean).length / receiver.replicated.length;
  t.ok(isQuick > 0.5, `${isQuick} of the answers came after Kafka had the alerts`);
  await controls.kill9();
  await postUntil(() => receiver.shipper.oldestUnshippedMs() > 4_000);
  t.notOk(receiver.shipper.health().reachable);
  // The receiver is started anew in the middle of it.
  await receiver.stop();
  receiver = await startReceiver(directory, shared);
  t.ok(receiver.shipper.oldestUnshippedMs() > 4_000, "known at once after a restart");
  await postUntil(() => true);
  await controls.start();
  await postUntil(() => receiver.shipper.health().reachable);
  while (receiver.shipper.health().waiting_records > 0) await postSome();
  await receiver.stop();

  const read = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => readAll(shared, { topic: "alerts", partition })),
  );
  const arrived = read.map(takenIn);
  t.same(refused, [], "none refused");
  t.same(arrived.flat().toSorted(byNumber), sent, `all ${sent.length} arrived`);
  // Two requests are under way at a time, eight alerts in all: within a partition they keep their order.
  for (const titles of arrived)
    t.ok(titles.every((title, at) => numberOf(title) + 8 > numberOf(titles[at - 1] ?? "0")));
  t.equal(receiver.shipper.oldestUnshippedMs(), 0);
  await shared.close();
});

function numberOf(title: string): number {
  return Number(title.replace("alert ", ""));
}

function byNumber(left: string, right: string): number {
  return numberOf(left) - numberOf(right);
}
