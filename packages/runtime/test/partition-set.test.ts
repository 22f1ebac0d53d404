import { createLogger, WinnowError } from "@winnow/platform";
import type { EventLog, MembershipHandlers } from "@winnow/ports";
import { VirtualProcess, VirtualTime } from "@winnow/testkit";
import t from "tap";
import type { PartitionSession } from "../src/partition-loop.ts";
import { PartitionSet } from "../src/partition-set.ts";

/** A set over four partitions whose sessions only tell what is done with them. */
class World {
  readonly time = new VirtualTime(1_000_000);
  readonly told: string[] = [];
  /** Partitions whose sessions fail for good. */
  readonly broken = new Set<number>();
  readonly set: PartitionSet;
  group: MembershipHandlers | null = null;
  /** Whose store does not answer. */
  readonly silent = new Set<number>();
  /** Whose outputs the log's servers refuse. */
  readonly refused = new Set<number>();
  /** What the stores of a partition say to a claim. */
  readonly unsuitable = new Set<number>();
  /** Partitions whose claims another owner's have ended, or the store's own moves. */
  readonly lost = new Map<number, "fenced" | "position">();
  readonly claimsLost: string[] = [];
  readonly #log: string[] = [];
  #tokens = 0;

  constructor(isShared: boolean) {
    const { clock } = new VirtualProcess("correlator", this.time);
    this.set = new PartitionSet({
      stage: "A",
      topic: "alerts",
      log: emptyLog(),
      clock,
      ids: { token: () => `token-${this.#tokens++}` },
      logger: createLogger({ destination: { write: (line) => this.#log.push(line) } }),
      claimLost: (stage, why) => this.claimsLost.push(`${stage} ${why}`),
      open: async (partition) => this.#session(partition),
      ...(isShared ? { join: (stage, handlers) => this.#join(stage, handlers) } : {}),
    });
  }

  #join(stage: string, handlers: MembershipHandlers) {
    this.told.push(`join ${stage}`);
    this.group = handlers;
    return {
      close: async () => {
        await handlers.onRevoked([0, 1, 2, 3]);
        this.told.push("left");
      },
    };
  }

  #session(partition: number): PartitionSession {
    if (this.silent.has(partition)) throw new WinnowError("store_unavailable", "the store did not answer");
    if (this.unsuitable.has(partition)) throw new WinnowError("store_unsuitable", "Redis may evict states");
    if (this.broken.has(partition)) throw new WinnowError("input_gap", "records are missing");
    this.told.push(`open ${partition}`);
    return {
      position: 5,
      committed: 5,
      process: async () => 0,
      prefetch: async () => {},
      dirty: () => true,
      commit: async () => {
        const refused = this.lost.get(partition);
        if (refused !== undefined) return { refused };
        if (this.refused.has(partition)) throw new WinnowError("log_refused", "Kafka refuses to write to transitions");
        this.told.push(`commit ${partition}`);
        return { committed: true };
      },
      verify: async () => null,
      nextDeadline: () => null,
      tick: async () => 0,
      trimBelow: async () => 0,
      handOver: async () => {
        await Promise.resolve();
        this.told.push(`hand over ${partition}`);
      },
    };
  }

  async pass(ms = 100): Promise<void> {
    await this.time.runUntil(this.time.now + ms);
  }

  get warnings(): string[] {
    return this.#log.filter((line) => line.includes('"level":"warn"'));
  }

  get errors(): string[] {
    return this.#log.filter((line) => line.includes('"level":"error"'));
  }

  get running(): (number | null)[] {
    return this.set.health().map(({ partition }) => partition);
  }
}

function emptyLog(): EventLog {
  const log: Partial<EventLog> = {
    partitions: 4,
    read: async () => [],
    wait: () => new Promise<boolean>(() => {}),
    trim: async () => {},
  };
  return log as EventLog;
}

await t.test("alone, a set runs all partitions", async (t) => {
  const world = new World(false);
  world.set.start();
  await world.pass();
  t.same(world.running, [0, 1, 2, 3]);
  const stopping = world.set.stop();
  await world.pass();
  await stopping;
  t.same(world.told.filter((line) => line.startsWith("hand over")).length, 4);
});

await t.test("in a group, a set runs what it is assigned, and tells of that alone", async (t) => {
  const world = new World(true);
  world.set.start();
  await world.pass();
  t.same(world.running, []);
  world.group?.onAssigned([2, 1]);
  await world.pass();
  t.same(world.running, [1, 2]);
  t.same(world.told, ["join A", "open 2", "open 1"]);
});

await t.test(
  "a partition that is taken away commits and hands over before the group hears that it is free",
  async (t) => {
    const world = new World(true);
    world.set.start();
    world.group?.onAssigned([1, 2]);
    await world.pass();
    world.told.length = 0;
    void world.group?.onRevoked([1]).then(() => world.told.push("free"));
    await world.pass(300);
    t.same(
      world.told.filter((line) => !line.includes("2")),
      ["commit 1", "hand over 1", "free"],
    );
    t.same(world.running, [2]);
  },
);

await t.test("a partition that comes back is claimed after the last session has ended", async (t) => {
  const world = new World(true);
  world.set.start();
  world.group?.onAssigned([3]);
  await world.pass();
  void world.group?.onRevoked([3]);
  world.group?.onAssigned([3]);
  await world.pass(300);
  t.same(world.told.slice(1, 5), ["open 3", "commit 3", "hand over 3", "open 3"]);
  t.same(world.running, [3]);
});

await t.test("an alarm stays in sight until the partition is taken away", async (t) => {
  const world = new World(true);
  world.broken.add(0);
  world.set.start();
  world.group?.onAssigned([0, 1]);
  await world.pass();
  t.match(world.set.health(), [
    { partition: 0, alarm: { code: "input_gap" } },
    { partition: 1, alarm: null },
  ]);
  await world.group?.onRevoked([0]);
  t.same(world.running, [1]);
});

await t.test("a stop lets go of everything and leaves the group; nothing begins any more", async (t) => {
  const world = new World(true);
  world.set.start();
  world.group?.onAssigned([0, 1]);
  await world.pass();
  const stopping = world.set.stop();
  await world.pass(300);
  await stopping;
  t.equal(world.told.at(-1), "left");
  t.ok(world.told.includes("hand over 0") && world.told.includes("hand over 1"));
  world.group?.onAssigned([2]);
  await world.pass();
  t.notOk(world.told.includes("open 2"));
});

await t.test("a store that does not answer is told of once a minute, and waited for", async (t) => {
  const world = new World(false);
  for (const partition of [0, 1, 2, 3]) world.silent.add(partition);
  world.set.start();
  await world.pass(50_000);
  t.equal(world.warnings.length, 4);
  await world.pass(20_000);
  t.equal(world.warnings.length, 8);
  world.silent.clear();
  await world.pass(3_000);
  t.equal(world.told.filter((line) => line.startsWith("open")).length, 4);
  t.same(
    world.set.health().map(({ alarm }) => alarm),
    [null, null, null, null],
  );
});

await t.test(
  "a refusal that lasts is an alarm with its place, and the partition goes on when it is over",
  async (t) => {
    const world = new World(false);
    world.refused.add(2);
    world.set.start();
    await world.pass(30_000);
    const alarms = () => world.set.health().map(({ alarm }) => alarm?.code ?? null);
    t.same(alarms(), [null, null, "log_refused", null]);
    t.equal(world.errors.length, 1, "told once");
    t.match(world.errors[0], /"partition":2/);
    const opened = world.told.filter((line) => line === "open 2").length;
    t.ok(opened > 2 && opened < 10, `tried again ${opened} times, not in haste`);
    for (let at = 0; at < 60; at += 1) {
      await world.pass(100);
      t.same(alarms()[2], "log_refused", "it does not flicker meanwhile");
    }
    world.refused.clear();
    await world.pass(6_000);
    t.same(alarms(), [null, null, null, null]);
    t.ok(world.told.includes("commit 2"));
  },
);

await t.test("a group that refuses us is an alarm though no partition is here", async (t) => {
  const world = new World(true);
  world.set.start();
  world.group?.onRefused?.(new WinnowError("log_refused", "Kafka refuses to let us into the group"));
  t.match(world.set.health(), [{ stage: "A", partition: null, alarm: { code: "log_refused" } }]);
  world.group?.onRefused?.(null);
  t.same(world.set.health(), []);
});

await t.test(
  "a partition that another owner took is taken back with a trace, and a fight over it is an error",
  async (t) => {
    const world = new World(false);
    world.lost.set(1, "fenced");
    world.set.start();
    await world.pass(1_000);
    world.lost.clear();
    await world.pass(10_000);
    t.same(world.claimsLost, ["A fenced"]);
    t.equal(world.warnings.length, 1);
    t.match(world.warnings[0], /"partition":1.*another owner had taken a partition/);
    world.lost.set(1, "fenced");
    await world.pass(30_000);
    t.ok(world.claimsLost.length > 10);
    t.equal(world.warnings.length, 2);
    t.equal(world.errors.length, 1, "once a minute");
    t.match(world.errors[0], /second installation/);
  },
);

await t.test("in a group, one that the next owner has claimed is given up without noise", async (t) => {
  const world = new World(true);
  world.set.start();
  world.group?.onAssigned([1]);
  world.lost.set(1, "fenced");
  await world.pass(500);
  await Promise.all([world.group?.onRevoked([1]), world.pass()]);
  await world.pass(10_000);
  t.same(world.claimsLost, ["A fenced"]);
  t.same(world.warnings, []);
});

await t.test("a window store that stands elsewhere is told of, once a minute", async (t) => {
  const world = new World(false);
  world.lost.set(0, "position");
  world.set.start();
  await world.pass(30_000);
  t.ok(world.claimsLost.length > 5 && world.claimsLost.every((line) => line === "A position"));
  t.equal(world.warnings.length, 1);
  t.match(world.warnings[0], /"partition":0.*does not stand at the last commit/);
});

await t.test("a store that is set up wrongly stops a partition no longer than that lasts", async (t) => {
  const world = new World(false);
  world.set.start();
  await world.pass(1_000);
  world.unsuitable.add(3);
  world.lost.set(3, "position");
  await world.pass(20_000);
  t.equal(world.set.health()[3]?.alarm?.code, "store_unsuitable");
  t.equal(world.errors.length, 1);
  world.unsuitable.clear();
  world.lost.clear();
  await world.pass(6_000);
  t.equal(world.set.health()[3]?.alarm, null);
});
