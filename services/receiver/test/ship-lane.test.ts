import assert from "node:assert/strict";
import type { LogValue } from "@winnow/contracts";
import { type Logger, silentLogger } from "@winnow/platform";
import { VirtualProcess, type VirtualTime } from "@winnow/testkit";
import fc from "fast-check";
import t from "tap";
import { fittingMark, ShipLane } from "../src/ship-lane.ts";
import type { ShipMark } from "../src/ship-marks.ts";
import { MemoryLog } from "./support/memory-log.ts";
import { eventsRecord, newTime, RemoteLog, type RequestFault } from "./support/ship-world.ts";

/** One partition of a receiver that is started, killed and started again over the same two logs. */
class LaneWorld {
  readonly time: VirtualTime = newTime();
  readonly local = new MemoryLog(1);
  readonly shared = new RemoteLog(this.time);
  readonly shippedCounts: number[] = [];
  logger: Logger = silentLogger();
  saved: ShipMark | null = null;
  #process: VirtualProcess | null = null;
  #stopping = new AbortController();
  lane: ShipLane | null = null;
  #seq = 0;

  async start(): Promise<ShipLane> {
    this.#process?.kill();
    this.#process = new VirtualProcess("receiver", this.time);
    this.#stopping = new AbortController();
    const bounds = await this.local.status("alerts", 0);
    const mark = fittingMark(this.saved, bounds, { isSameReceiver: true, partition: 0 });
    const lane = await ShipLane.open(
      {
        local: this.local,
        shared: this.shared.client(this.#process),
        receiverId: "r1",
        partition: 0,
        clock: this.#process.clock,
        logger: this.logger,
        onShipped: (records) => this.shippedCounts.push(records),
      },
      mark,
    );
    void lane.run(this.#stopping.signal);
    this.lane = lane;
    return lane;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async append(count: number): Promise<void> {
    const records = Array.from({ length: count }, () => ({ value: eventsRecord((this.#seq += 1)), events: 0 }));
    if (count > 0) await this.local.append("alerts", 0, records);
  }

  async pass(ms: number): Promise<void> {
    await this.time.runUntil(this.time.now + ms);
  }

  save(): void {
    this.saved = this.lane?.mark ?? this.saved;
  }

  /** What a reader makes of it that drops repetitions by mark: the last seq, or the first gap. */
  readBack(): { readonly last: number } | { readonly gap: string } {
    let mark = 0;
    for (const seq of this.shared.seqs()) {
      if (seq > mark + 1) return { gap: `${seq} comes after ${mark}` };
      mark = Math.max(mark, seq);
    }
    return { last: mark };
  }
}

async function worldWith(records: number): Promise<LaneWorld> {
  const world = new LaneWorld();
  await world.append(records);
  await world.start();
  return world;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);

await t.test("what waits goes out in one append, and what comes meanwhile in the next", async (t) => {
  const world = await worldWith(7);
  await world.pass(100);
  t.same(world.shared.seqs(), upTo(7));
  t.same(world.shared.batches, [7]);
  await world.append(1);
  await world.pass(3);
  await world.append(2);
  await world.append(3);
  await world.pass(100);
  t.same(world.shared.batches, [7, 1, 5]);
  t.same(world.shippedCounts, [7, 1, 5]);
  t.equal(world.shared.underWayMax, 1, "one append under way at a time");
});

await t.test("records go as they are", async (t) => {
  const world = await worldWith(3);
  await world.pass(100);
  t.same(
    world.shared.records().map(({ value }) => value),
    world.local.values(0),
  );
});

await t.test("other kinds of records stay where they are", async (t) => {
  const world = new LaneWorld();
  const tick: LogValue = { kind: "tick", at_ms: 0, ready_since_ms: 0, delivered_ms: {} };
  for (const value of [tick, eventsRecord(1), tick, tick, eventsRecord(2), tick])
    await world.local.append("alerts", 0, [{ value, events: 0 }]);
  const lane = await world.start();
  await world.pass(100);
  t.same(world.shared.seqs(), [1, 2]);
  t.equal(world.shared.records().length, 2);
  t.equal(lane.mark.shipped, 6);
  t.equal(lane.waiting, 0);
});

await t.test("whatever the shared log answers, the same records are sent again until they are taken", async (t) => {
  const faults: readonly (readonly [string, RequestFault])[] = [
    ["a full log", { refused: "log_full" }],
    ["a failed write", { refused: "log_write_failed" }],
    ["no connection", { refused: "store_unavailable" }],
    ["a lost request", { lost: "before" }],
    ["a lost answer", { lost: "after" }],
    ["half of it written", { lost: "half" }],
    ["an append that lands late", { late: 1_000 }],
  ];
  for (const [name, fault] of faults) {
    const world = await worldWith(4);
    world.shared.failNext(fault, fault);
    await world.pass(20_000);
    await world.append(2);
    await world.pass(1_000);
    t.same(world.readBack(), { last: 6 }, name);
    t.equal(world.lane?.waiting, 0, name);
  }
});

await t.test("pauses between tries grow to two seconds and no further", async (t) => {
  const world = await worldWith(1);
  await world.pass(100);
  await world.append(1);
  let tries = 0;
  world.shared.failNext(...Array.from({ length: 1_000 }, (): RequestFault => ({ refused: "log_full" })));
  const failNext = world.shared.append.bind(world.shared);
  world.shared.append = (...given) => {
    tries += 1;
    return failNext(...given);
  };
  await world.pass(10_000);
  const early = tries;
  await world.pass(20_000);
  t.ok(early >= 8 && early <= 12, `${early} tries in the first 10 s`);
  t.ok(tries - early >= 9 && tries - early <= 10, `${tries - early} tries in the next 20 s`);
});

await t.test("a shared log that is away for hours gets everything in order when it is back", async (t) => {
  const world = await worldWith(5);
  await world.pass(100);
  world.shared.down("store_unavailable");
  for (let n = 0; n < 50; n += 1) {
    await world.append(3);
    await world.pass(60_000);
  }
  t.equal(world.lane?.waiting, 150);
  t.notOk(world.lane?.isWell);
  t.ok((world.lane?.oldestMs() ?? 0) >= 3_000_000 - 1_000, "its age rises");
  world.shared.down(null);
  await world.pass(3_000);
  t.same(world.shared.seqs(), upTo(155));
  t.ok(world.lane?.isWell);
  t.equal(world.lane?.oldestMs(), 0, "and falls");
});

await t.test("a shared log that lost its tail is fed again, from behind the last record that it has", async (t) => {
  for (const lost of [1, 4, 10]) {
    const world = await worldWith(10);
    await world.pass(100);
    world.shared.loseTail(lost);
    await world.pass(11_000);
    t.same(world.shared.seqs(), upTo(10), `${lost} lost`);
  }
});

await t.test("a lost tail is noticed even where others have filled it up", async (t) => {
  const world = await worldWith(10);
  world.shared.others(3);
  await world.pass(100);
  world.shared.loseTail(6);
  world.shared.others(20);
  await world.pass(11_000);
  t.same(world.readBack(), { last: 10 });
  await world.append(2);
  await world.pass(100);
  t.same(world.readBack(), { last: 12 });
});

await t.test("a tail that was lost with the connection is fed again before anything new", async (t) => {
  const world = await worldWith(10);
  await world.pass(100);
  await world.append(5);
  world.shared.failNext({ lost: "before" });
  await world.pass(10);
  world.shared.loseTail(4);
  await world.pass(2_000);
  t.same(world.shared.seqs(), upTo(15));
});

await t.test("a shared log that went backwards unnoticed is fed again once the next append tells", async (t) => {
  const world = await worldWith(10);
  await world.pass(100);
  world.shared.loseTail(6);
  await world.append(1);
  await world.pass(100);
  t.same(world.shared.seqs(), [1, 2, 3, 4, 11, 5, 6, 7, 8, 9, 10, 11]);
});

await t.test("a shared log that was made anew gets all that is kept", async (t) => {
  const world = await worldWith(10);
  await world.pass(100);
  world.shared.makeAnew();
  world.shared.others(50);
  await world.append(2);
  world.shared.failNext({ refused: "store_unavailable" });
  await world.pass(11_000);
  t.same(world.shared.seqs(), upTo(12));
});

await t.test("what the shared log let go after it was read is not sent again", async (t) => {
  const world = await worldWith(10);
  await world.pass(100);
  world.shared.startOffset = 10;
  world.save();
  await world.start();
  await world.append(1);
  await world.pass(11_000);
  t.same(world.shared.seqs(), upTo(11));
});

await t.test("without a mark shipping begins behind the last record that the shared log has", async (t) => {
  const world = await worldWith(40);
  await world.pass(100);
  world.shared.others(30);
  world.saved = null;
  await world.start();
  await world.append(1);
  await world.pass(1_000);
  t.same(world.shared.seqs(), upTo(41));
});

await t.test("what was found without a mark is watched over like what was sent", async (t) => {
  const world = await worldWith(10);
  await world.pass(100);
  await world.start();
  await world.pass(100);
  world.shared.loseTail(3);
  world.shared.others(5);
  await world.pass(11_000);
  t.same(world.readBack(), { last: 10 });
});

await t.test("records that are too large together go one by one", async (t) => {
  const world = new LaneWorld();
  world.shared.recordsMax = 1;
  await world.append(6);
  await world.start();
  await world.pass(1_000);
  t.same(world.shared.seqs(), upTo(6));
  world.shared.recordsMax = 10;
  await world.append(3);
  await world.pass(100);
  t.equal(world.shared.batches.at(-1), 3, "and together again behind them");
});

await t.test("a record that the shared log never takes raises an alarm and stays", async (t) => {
  const world = new LaneWorld();
  const errors: string[] = [];
  const quiet = silentLogger();
  world.logger = { ...quiet, child: () => world.logger, error: (message) => errors.push(message) };
  world.shared.recordsMax = 0;
  await world.append(2);
  const lane = await world.start();
  await world.pass(30_000);
  t.equal(errors.length, 1, "once");
  t.equal(lane.waiting, 2);
  t.notOk(lane.isWell);
  world.shared.recordsMax = 10;
  await world.pass(3_000);
  t.same(world.shared.seqs(), [1, 2], "nothing is skipped, and it goes on once the limit is raised");
});

await t.test("an outage raises an alarm only when it lasts", async (t) => {
  const lines: string[] = [];
  const world = await worldWith(0);
  const quiet = silentLogger();
  world.logger = {
    ...quiet,
    child: () => world.logger,
    warn: () => lines.push("warn"),
    error: () => lines.push("error"),
    info: () => lines.push("info"),
  };
  await world.start();
  world.shared.down("store_unavailable");
  await world.append(1);
  await world.pass(50_000);
  t.same(lines, ["warn"]);
  await world.pass(20_000);
  t.same(lines, ["warn", "error"]);
  world.shared.down(null);
  await world.pass(3_000);
  t.same(lines, ["warn", "error", "info"]);
});

await t.test("who waits for a record is told when the shared log has it, or when the time is over", async (t) => {
  const world = await worldWith(3);
  const lane = world.lane;
  if (lane === null) return;
  const told: string[] = [];
  const ask = (name: string, offset: number, ms: number): void => {
    void lane.shipped(offset, ms).then((is) => told.push(`${name} ${is}`));
  };
  ask("first", 3, 250);
  await world.pass(100);
  ask("again", 3, 250);
  await world.pass(0);
  t.same(told.splice(0), ["first true", "again true"]);
  world.shared.down("store_unavailable");
  await world.append(2);
  ask("long", 5, 5_000);
  ask("middle", 4, 250);
  ask("short", 4, 50);
  await world.pass(60);
  t.same(told.splice(0), ["short false"]);
  await world.pass(200);
  t.same(told.splice(0), ["middle false"]);
  world.shared.down(null);
  await world.pass(4_000);
  t.same(told.splice(0), ["long true"]);
});

await t.test(
  "a mark of another local log is refused under the same receiver id, and void under a new one",
  async (t) => {
    const world = await worldWith(5);
    await world.pass(100);
    world.save();
    const stored = world.saved;
    const anew = { log_id: "log-2", start_offset: 0, end_offset: 0 };
    t.throws(() => fittingMark(stored, anew, { isSameReceiver: true, partition: 0 }), { code: "log_replaced" });
    const fresh = fittingMark(stored, anew, { isSameReceiver: false, partition: 0 });
    t.match(fresh, { log_id: "log-2", shipped: 0, last: null, shared_log_id: null, seq_max: 0 });
    const shorter = { log_id: "log-1", start_offset: 0, end_offset: 3 };
    t.throws(() => fittingMark(stored, shorter, { isSameReceiver: true, partition: 0 }), {
      code: "log_replaced",
    });
    t.match(fittingMark(stored, shorter, { isSameReceiver: false, partition: 0 }), { shipped: 3, seq_max: 0 });
  },
);

type Step =
  | { readonly do: "append" | "others" | "pass" | "lose_tail" | "trim"; readonly n: number }
  | { readonly do: "fault"; readonly fault: RequestFault }
  | { readonly do: "save" | "crash" | "forget" | "anew" | "down" | "up" | "small" | "large" };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), n: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("others" as const), n: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pass" as const), n: fc.integer({ min: 1, max: 6_000 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pass" as const), n: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("lose_tail" as const), n: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim" as const), n: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      fault: fc.oneof(
        fc.constantFrom<RequestFault>(
          { refused: "log_full" },
          { refused: "log_write_failed" },
          { lost: "after" },
          { lost: "half" },
          { lost: "before" },
        ),
        fc.record({ late: fc.integer({ min: 1, max: 6_000 }) }),
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("save" as const, "save" as const, "crash" as const, "down" as const, "up" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("forget", "anew", "small", "large") }) },
);

async function take(world: LaneWorld, step: Step): Promise<void> {
  const { shared } = world;
  switch (step.do) {
    case "append":
      return world.append(step.n);
    case "others":
      shared.others(step.n);
      return;
    case "pass":
      return world.pass(step.n);
    case "lose_tail":
      // A server that loses records was away: its clients notice that.
      shared.loseTail(step.n);
      shared.down("store_unavailable");
      await world.pass(1_500);
      shared.down(null);
      return;
    case "trim":
      // A shared log lets records go by their age: not while a receiver cannot see that they are not its own.
      shared.down(null);
      await world.pass(step.n * 5_000);
      shared.startOffset = shared.records().filter((record) => record.appended_ms < world.time.now - 60_000).length;
      return;
    case "fault":
      shared.failNext(step.fault);
      return;
    case "save":
      world.save();
      return;
    case "crash":
      await world.start();
      return;
    case "forget":
      world.saved = null;
      return;
    case "anew":
      shared.makeAnew();
      shared.down("store_unavailable");
      await world.pass(1_500);
      shared.down(null);
      return;
    case "down":
      shared.down("store_unavailable");
      return;
    case "up":
      shared.down(null);
      return;
    case "small":
      shared.recordsMax = 2;
      return;
    case "large":
      shared.recordsMax = 1_000;
  }
}

await t.test("whatever happens, every record arrives, first occurrences in order and without a gap", async () => {
  const property = fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40 }), async (story) => {
    const world = await worldWith(1);
    for (const step of story) await take(world, step);
    world.shared.down(null);
    // Faults still planned befall one try each.
    await world.pass(240_000);
    assert.deepEqual(world.readBack(), { last: world.local.seqs(0).at(-1) });
    assert.equal(world.lane?.waiting, 0);
    assert.equal(world.lane?.oldestMs(), 0);
  });
  await fc.assert(property, { numRuns: 300 });
});
