import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Metrics, silentLogger } from "@winnow/platform";
import { VirtualProcess, type VirtualTime } from "@winnow/testkit";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { localReceiver, localReceiverId } from "../src/local-identity.ts";
import { Shipper } from "../src/shipper.ts";
import { MemoryLog } from "./support/memory-log.ts";
import { eventsRecord, newTime, passUntil, RemoteLog } from "./support/ship-world.ts";

/** A receiver's shipper over real files and virtual time, started again at will. */
class ShipperWorld {
  readonly time: VirtualTime = newTime();
  readonly local = new MemoryLog(2);
  readonly shared = new RemoteLog(this.time, 2);
  readonly stateFile: string;
  receiverId = "r1";
  metrics = new Metrics();
  process: VirtualProcess | null = null;
  readonly directory: string;
  #made = 0;
  readonly #seqs = [0, 0];

  constructor(directory: string) {
    this.directory = directory;
    this.stateFile = join(directory, "shipped.json");
  }

  async open(): Promise<Shipper> {
    this.process?.kill();
    this.process = new VirtualProcess("receiver", this.time);
    this.metrics = new Metrics();
    const shipper = await Shipper.open({
      local: this.local,
      shared: this.shared.client(this.process),
      receiverId: this.receiverId,
      stateFile: this.stateFile,
      clock: this.process.clock,
      logger: silentLogger(),
      metrics: this.metrics,
      keepMs: 80_000,
    });
    shipper.start();
    return shipper;
  }

  async append(partition: number, count: number): Promise<void> {
    const next = (): number => (this.#seqs[partition] = (this.#seqs[partition] ?? 0) + 1);
    const records = Array.from({ length: count }, () => ({
      value: { ...eventsRecord(next()), received_ms: this.time.now },
      events: 0,
    }));
    await this.local.append("alerts", partition, records);
  }

  async stop(shipper: Shipper): Promise<void> {
    let isStopped = false;
    const stopping = shipper.stop().then(() => (isStopped = true));
    await passUntil(this.time, () => isStopped);
    await stopping;
  }

  /** Until the file says so. */
  async saved(partition: number, shipped: number): Promise<void> {
    await passUntil(this.time, () => {
      const text = readIfThere(this.stateFile);
      return text !== null && shippedIn(text, partition) === shipped;
    });
  }

  /** Who the receiver is after a restart, and its last seqs. */
  async identify(): Promise<readonly [string, ...number[]]> {
    const { local, stateFile, directory: dir } = this;
    const ids = { token: () => `r${(this.#made += 1)}` };
    const { receiverId, lastSeqs } = await localReceiver({ dir, local, stateFile, ids, logger: silentLogger() });
    this.receiverId = receiverId;
    return [receiverId, ...lastSeqs];
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function shippedIn(text: string, partition: number): number | undefined {
  const marks = JSON.parse(text) as { partitions: { shipped: number }[] };
  return marks.partitions[partition]?.shipped;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);
const worldIn = (t: Test): ShipperWorld => new ShipperWorld(testFolder(t));

await t.test("a stop ships what waits, and the next start goes on behind it without a repetition", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  await world.append(0, 5);
  await world.append(1, 3);
  await world.stop(shipper);
  t.same([world.shared.seqs("r1", 0), world.shared.seqs("r1", 1)], [upTo(5), upTo(3)]);
  await world.time.runUntil(world.time.now + 9_000);
  t.equal(shipper.oldestUnshippedMs(), 0, "and says that nothing is left");
  const next = await world.open();
  await world.append(0, 2);
  t.ok(await arrives(world, next, 0, 7));
  t.same(world.shared.seqs("r1", 0), upTo(7));
  await world.stop(next);
});

async function arrives(world: ShipperWorld, shipper: Shipper, partition: number, offset: number): Promise<boolean> {
  let is: boolean | null = null;
  void shipper.shipped(partition, offset, 60_000).then((shipped) => (is = shipped));
  await passUntil(world.time, () => is !== null);
  return is === true;
}

await t.test("a stop with a backlog ends in time; the backlog goes out in order after the next start", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  await world.append(0, 3);
  await world.stop(shipper);
  const second = await world.open();
  world.shared.down("store_unavailable");
  await world.append(0, 4);
  const stopping = second.stop();
  await world.time.runUntil(world.time.now + 7_000);
  // Needs no more time than that to pass.
  await stopping;
  t.equal(second.health().waiting_records, 4);
  world.shared.down(null);
  const third = await world.open();
  t.equal(third.health().waiting_records, 4, "known from the start");
  t.ok(await arrives(world, third, 0, 7));
  t.same(world.shared.seqs("r1", 0), upTo(7));
  await world.stop(third);
});

await t.test("a crash before the marks are saved makes repetitions, never a gap", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  await world.append(0, 3);
  await arrives(world, shipper, 0, 3);
  await world.saved(0, 3);
  await world.append(0, 2);
  await arrives(world, shipper, 0, 5);
  const next = await world.open();
  await world.append(0, 1);
  await arrives(world, next, 0, 6);
  t.same(world.shared.seqs("r1", 0), [1, 2, 3, 4, 5, 4, 5, 6]);
  await world.stop(next);
});

await t.test("local records are let go only below marks that are saved", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  await world.append(0, 6);
  await world.append(1, 1);
  await arrives(world, shipper, 0, 6);
  world.shared.down("store_unavailable");
  await world.append(0, 3);
  await passUntil(world.time, () => world.local.trims.size === 2);
  t.equal(world.local.trims.get(0), 6);
  t.equal(shippedIn(readFileSync(world.stateFile, "utf8"), 0), 6);
  await world.stop(shipper);
});

await t.test("age and number of what waits rise and fall, in health and metrics", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  const shown = async (name: string): Promise<string | undefined> =>
    (await world.metrics.render()).split("\n").find((line) => line.startsWith(`${name} `));
  t.same(shipper.health(), { waiting_records: 0, oldest_ms: 0, reachable: true });
  world.shared.down("store_unavailable");
  await world.append(1, 2);
  await world.time.runUntil(world.time.now + 30_000);
  await world.append(0, 1);
  await world.time.runUntil(world.time.now + 5_000);
  t.equal(shipper.oldestUnshippedMs(), 35_000);
  t.match(shipper.health(), { waiting_records: 3, oldest_ms: 35_000, reachable: false });
  t.equal(await shown("winnow_spool_records"), "winnow_spool_records 3");
  t.equal(await shown("winnow_spool_oldest_seconds"), "winnow_spool_oldest_seconds 35");
  world.shared.down(null);
  await arrives(world, shipper, 1, 2);
  await arrives(world, shipper, 0, 1);
  await world.time.runUntil(world.time.now + 10);
  t.same(shipper.health(), { waiting_records: 0, oldest_ms: 0, reachable: true });
  t.equal(await shown("winnow_spool_records"), "winnow_spool_records 0");
  t.equal(await shown("winnow_shipped_records_total"), "winnow_shipped_records_total 3");
  await world.stop(shipper);
});

await t.test("a receiver starts while the shared log is away", async (t) => {
  const world = worldIn(t);
  world.shared.down("store_unavailable");
  await world.append(0, 1);
  const shipper = await world.open();
  await world.time.runUntil(world.time.now + 60_000);
  world.shared.down(null);
  t.ok(await arrives(world, shipper, 0, 1));
  await world.stop(shipper);
});

await t.test("a receiver whose own log was made anew, or went backwards, goes on under a new id", async (t) => {
  for (const [what, change] of [
    [
      "made anew",
      (world: ShipperWorld): void => {
        world.local.logId = "log-2";
      },
    ],
    [
      "backwards",
      (world: ShipperWorld): void => {
        world.local.cutTo(0, 2);
      },
    ],
  ] as const) {
    const world = worldIn(t);
    t.same(await world.identify(), ["r1", 0, 0]);
    const shipper = await world.open();
    await world.append(0, 4);
    await world.stop(shipper);
    t.same(await world.identify(), ["r1", 4, 0]);
    change(world);
    await t.rejects(world.open(), { code: "log_replaced" }, what);
    t.same(await world.identify(), ["r2", 0, 0], what);
    t.same(await world.identify(), ["r2", 0, 0], "and keeps it");
    await world.stop(await world.open());
    t.same(await world.identify(), ["r2", 0, 0]);
  }
});

await t.test("other numbers of partitions are refused", async (t) => {
  const world = worldIn(t);
  const wider = new RemoteLog(world.time, 3).client(new VirtualProcess("receiver", world.time));
  const options = { local: world.local, shared: wider, receiverId: "r1", stateFile: world.stateFile, keepMs: 1 };
  const rest = { clock: new VirtualProcess("x", world.time).clock, logger: silentLogger(), metrics: new Metrics() };
  await t.rejects(Shipper.open({ ...options, ...rest }), { code: "partitions_changed" });
});

await t.test("numbers go on although every local record was let go", async (t) => {
  const world = worldIn(t);
  await world.identify();
  const shipper = await world.open();
  await world.append(0, 7);
  await world.stop(shipper);
  world.local.trimTo(7);
  t.same(await world.identify(), ["r1", 7, 0]);
  writeFileSync(world.stateFile, "{");
  t.same(await world.identify(), ["r2", 0, 0], "unless nothing tells them: then under a new id");
});

await t.test("marks that cannot be read send what is kept again", async (t) => {
  const world = worldIn(t);
  const shipper = await world.open();
  await world.append(0, 3);
  await world.stop(shipper);
  writeFileSync(world.stateFile, "what is this?");
  const next = await world.open();
  await world.append(0, 1);
  await arrives(world, next, 0, 4);
  t.same(world.shared.seqs("r1", 0), upTo(4), "from behind the last record that the shared log has");
  await world.stop(next);
});

await t.test("the receiver's id is made with its log's directory, kept in it, and gone with it", (t) => {
  const directory = join(testFolder(t), "log");
  let made = 0;
  const ids = { token: () => `token-${(made += 1)}` };
  t.equal(localReceiverId(directory, ids), "token-1");
  t.equal(localReceiverId(directory, ids), "token-1");
  t.equal(readFileSync(join(directory, "receiver_id"), "utf8"), "token-1\n");
  t.equal(localReceiverId(`${directory}-2`, ids), "token-2");
  writeFileSync(join(directory, "receiver_id"), "");
  t.equal(localReceiverId(directory, ids), "token-3", "an empty file is none");
  t.end();
});
