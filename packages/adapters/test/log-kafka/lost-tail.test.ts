import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { freePort, kafkaSettings, type Tool } from "@winnow/devservers";
import { numberOf, tickRecord } from "@winnow/testkit";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { formatNode, kafkaProgram, newClusterId } from "./kafka-process.ts";
import { codeOf, migrate, newPrefix, numbersIn, open } from "./support.ts";

t.setTimeout(240_000);

interface Broker {
  readonly address: string;
  readonly folder: string;
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** A broker whose files can be reached; a text where it cannot be had. */
async function startBroker(t: Test): Promise<Broker | string> {
  const program = await kafkaProgram(t);
  if (typeof program === "string") return program;
  const folder = testFolder(t);
  const [port, controllerPort] = [await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const startNode = await formatNode(program, {
    folder,
    clusterId: newClusterId(),
    format: ["--standalone"],
    settings: {
      ...kafkaSettings,
      listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://${address}`,
      "controller.quorum.bootstrap.servers": `127.0.0.1:${controllerPort}`,
      "log.dirs": join(folder, "data"),
    },
  });
  let node: Tool | null = await startNode();
  t.teardown(() => node?.stop());
  return {
    address,
    folder,
    start: async () => {
      node = await startNode();
    },
    kill: async () => {
      await node?.kill();
      node = null;
    },
  };
}

/** Takes the last bytes of a partition's file away, as a power cut does to what was never synced. */
function cutTail({ folder }: Broker, topic: string): void {
  const directory = join(folder, "data", `${topic}-0`);
  const file = readdirSync(directory).find((name) => name.endsWith(".log"));
  if (file === undefined) throw new Error(`no file of ${topic}`);
  const path = join(directory, file);
  truncateSync(path, Math.floor(statSync(path).size / 2));
}

await t.test("after a broker has lost what it acknowledged, the next append says so before it writes", async (t) => {
  const broker = await startBroker(t);
  if (typeof broker === "string") {
    t.pass("a broker of our own", { skip: broker });
    return;
  }
  const place = { brokers: [broker.address], topicPrefix: newPrefix() };
  await migrate(place);
  const log = await open(place);
  for (let n = 0; n < 10; n += 1) await log.append("alerts", 0, [tickRecord(n)]);
  t.same((await log.read("alerts", 0, 9, 1)).map(numberOf), [9]);

  await broker.kill();
  cutTail(broker, `${place.topicPrefix}alerts`);
  await broker.start();

  t.equal(await codeOf(log.append("alerts", 0, [tickRecord(10)])), "log_unknown");
  const { end_offset } = await log.bounds("alerts", 0);
  t.ok(end_offset > 0 && end_offset < 10, `${end_offset} of 10 records are left`);
  t.equal(await codeOf(log.read("alerts", 0, 9, 1)), "log_offset_beyond_end", "what was read before is not served");
  t.same(await log.read("alerts", 0, end_offset, 1), []);
  t.notOk(await log.wait("alerts", 0, end_offset, AbortSignal.timeout(300)), "nobody is woken for what is gone");
  t.equal(await log.append("alerts", 0, [tickRecord(11)]), end_offset, "who was told goes on");
  t.same(await numbersIn(log, 0), [...Array(end_offset).keys(), 11]);
  await log.close();
});

await t.test("a loss is found though another writer has filled the place of what was lost", async (t) => {
  const broker = await startBroker(t);
  if (typeof broker === "string") {
    t.pass("a broker of our own", { skip: broker });
    return;
  }
  const place = { brokers: [broker.address], topicPrefix: newPrefix() };
  await migrate(place);
  const [log, another] = [await open(place), await open(place)];
  t.teardown(() => Promise.all([log.close(), another.close()]));
  for (let n = 0; n < 10; n += 1) await log.append("transitions", 0, [tickRecord(n)]);
  await log.append("transitions", 1, [tickRecord(0)]);

  await broker.kill();
  cutTail(broker, `${place.topicPrefix}transitions`);
  await broker.start();

  for (let n = 20; n < 40; n += 1) await another.append("transitions", 0, [tickRecord(n)]);
  t.equal(another.losses("transitions", 0), 0, "it was acknowledged nothing that is lost");
  t.equal(log.losses("transitions", 0), 0);
  t.equal(await codeOf(log.append("transitions", 0, [tickRecord(10)])), "log_unknown");
  t.equal(log.losses("transitions", 0), 1);
  const { end_offset } = await log.bounds("transitions", 0);
  t.equal(await log.append("transitions", 0, [tickRecord(11)]), end_offset, "who was told goes on");
  t.equal(await log.append("transitions", 1, [tickRecord(1)]), 1, "what is kept is not taken for lost");
  t.equal(log.losses("transitions", 1), 0);
});
