import { silentLogger } from "@winnow/platform";
import type { Clock, FactStore } from "@winnow/ports";
import { VirtualProcess, type VirtualTime } from "@winnow/testkit";
import t from "tap";
import { ReceiverReports } from "../src/receiver-reports.ts";
import { type Reporting, startReporting } from "../src/reporting.ts";
import type { ReceiverFacts } from "../src/stored-report.ts";
import { newTime } from "./support/ship-world.ts";

/** Facts in memory that can be out of reach. */
class Facts {
  readonly kept = new Map<string, string>();
  isAway = false;
  writes = 0;

  async fact(name: string): Promise<string | null> {
    this.#answer();
    return this.kept.get(name) ?? null;
  }

  async setFact(name: string, value: string): Promise<void> {
    this.#answer();
    this.writes += 1;
    this.kept.set(name, value);
  }

  async factsUnder(prefix: string): Promise<Record<string, string>> {
    this.#answer();
    return Object.fromEntries([...this.kept].filter(([name]) => name.startsWith(prefix)));
  }

  #answer(): void {
    if (this.isAway) throw new Error("the store is away");
  }
}

interface Told extends ReceiverFacts {
  readonly reporting: Reporting;
  set(facts: Partial<ReceiverFacts>): void;
}

class ReportsWorld {
  readonly time: VirtualTime = newTime();
  readonly store = new Facts();
  readonly #reader = new VirtualProcess("correlator", this.time);

  reports(): ReceiverReports {
    const store: Pick<FactStore, "factsUnder"> = this.store;
    const reports = new ReceiverReports({ store, clock: this.#reader.clock, logger: silentLogger() });
    reports.start();
    return reports;
  }

  /** A receiver whose clock is ahead by `aheadMs`. */
  receiver(receiverId: string, facts: Partial<ReceiverFacts> = {}, aheadMs = 0): Told & { kill(): void } {
    const process = new VirtualProcess(receiverId, this.time);
    const clock: Clock = { ...process.clock, now: () => this.time.now + aheadMs };
    let told: ReceiverFacts = { oldest_unshipped_ms: 0, ready_since_ms: clock.now(), delivered_ms: {}, ...facts };
    const reporting = startReporting({
      store: this.store,
      receiverId,
      clock,
      logger: silentLogger(),
      read: () => told,
    });
    return {
      ...told,
      reporting,
      set: (more) => {
        told = { ...told, ...more };
      },
      kill: () => {
        process.kill();
      },
    };
  }

  pass(ms: number): Promise<void> {
    return this.time.runUntil(this.time.now + ms);
  }

  stored(receiverId: string): Record<string, unknown> {
    return JSON.parse(this.store.kept.get(`receiver_report.${receiverId}`) ?? "{}") as Record<string, unknown>;
  }
}

await t.test("a report is written when it changes, else every few seconds, under a number that rises", async (t) => {
  const world = new ReportsWorld();
  const receiver = world.receiver("r1", { ready_since_ms: 5, delivered_ms: { prom: 7 } });
  await world.pass(100);
  t.match(world.stored("r1"), { number: 1, ready_since_ms: 5, delivered_ms: { prom: 7 }, oldest_unshipped_ms: 0 });
  await world.pass(60_000);
  t.ok(world.store.writes >= 12 && world.store.writes <= 13, `${world.store.writes} writes in a quiet minute`);
  t.equal(world.stored("r1")["number"], world.store.writes);
  receiver.set({ delivered_ms: { prom: 8 } });
  await world.pass(1_100);
  t.match(world.stored("r1"), { delivered_ms: { prom: 8 } });
  receiver.set({ oldest_unshipped_ms: 1_500 });
  await world.pass(1_100);
  t.match(world.stored("r1"), { oldest_unshipped_ms: 1_500 });
});

await t.test("numbers go on after a restart, and after the store was away", async (t) => {
  const world = new ReportsWorld();
  const first = world.receiver("r1");
  await world.pass(100);
  first.kill();
  world.store.isAway = true;
  world.receiver("r1");
  await world.pass(5_000);
  world.store.isAway = false;
  await world.pass(1_100);
  t.equal(world.stored("r1")["number"], 2);
});

await t.test("ready is the latest of all receivers, once each has shown that it lives", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  t.equal(reports.readySince(), world.time.now, "now, while nothing is known");
  const start = world.time.now;
  world.receiver("r1", { ready_since_ms: start - 500_000 });
  world.receiver("r2", { ready_since_ms: start - 100_000 });
  await world.pass(1_000);
  t.equal(reports.readySince(), world.time.now, "one report may be left over from long ago");
  await world.pass(10_000);
  t.ok(Math.abs(reports.readySince() - (start - 100_000)) <= 1_000);
  await reports.stop();
});

await t.test("a receiver that falls silent makes ready now, and what it kept counts no more", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const start = world.time.now;
  world.receiver("r1", { ready_since_ms: start - 500_000 });
  const silent = world.receiver("r2", { ready_since_ms: start - 500_000, oldest_unshipped_ms: 20_000 });
  await world.pass(12_000);
  t.ok(reports.readySince() < start);
  silent.kill();
  await world.pass(50_000);
  t.ok(reports.unshippedMs() >= 70_000, "it grows older meanwhile");
  await world.pass(15_000);
  t.equal(reports.unshippedMs(), 0);
  t.equal(reports.readySince(), world.time.now);
  await world.pass(600_000);
  t.equal(reports.readySince(), world.time.now, "for as long as it may come back with what it kept");
  await reports.stop();
});

await t.test("a receiver that was last heard of three days ago is gone for good", async (t) => {
  for (const [hours, isGone] of [
    [71, false],
    [73, true],
  ] as const) {
    const world = new ReportsWorld();
    const start = world.time.now;
    const left = { number: 9, is_over: false, oldest_unshipped_ms: 0, ready_since_ms: 0, delivered_ms: {} };
    const at_ms = start - hours * 3_600_000;
    world.store.kept.set("receiver_report.r0", JSON.stringify({ ...left, at_ms }));
    world.receiver("r1", { ready_since_ms: start - 500_000 });
    const reports = world.reports();
    await world.pass(70_000);
    t.equal(reports.readySince() < start, isGone, `${hours} hours`);
    await reports.stop();
  }
});

await t.test("a receiver that stopped in order is not waited for, one that kept something is", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const start = world.time.now;
  world.receiver("r1", { ready_since_ms: start - 500_000 });
  const leaving = world.receiver("r2", { ready_since_ms: start - 100_000 });
  await world.pass(12_000);
  await leaving.reporting.stop();
  await world.pass(120_000);
  t.ok(reports.readySince() < start - 400_000);
  const loaded = world.receiver("r3", { ready_since_ms: start, oldest_unshipped_ms: 5_000 });
  await world.pass(12_000);
  await loaded.reporting.stop();
  await world.pass(120_000);
  t.equal(reports.readySince(), world.time.now);
  await reports.stop();
});

await t.test("when the last receiver has stopped nothing is ready", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const only = world.receiver("r1", { ready_since_ms: 0 });
  await world.pass(12_000);
  await only.reporting.stop();
  await world.pass(2_000);
  t.equal(reports.readySince(), world.time.now);
  await reports.stop();
});

await t.test("what is kept is the oldest of all receivers", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const one = world.receiver("r1", { oldest_unshipped_ms: 3_000 });
  world.receiver("r2", { oldest_unshipped_ms: 9_000 });
  await world.pass(1_000);
  t.ok(reports.unshippedMs() >= 9_000 && reports.unshippedMs() <= 10_100);
  one.set({ oldest_unshipped_ms: 40_000 });
  await world.pass(2_000);
  t.ok(reports.unshippedMs() >= 40_000);
  await world.pass(0.5);
  t.ok(Number.isInteger(reports.unshippedMs()), "in whole milliseconds, as a tick's time is told");
  await reports.stop();
});

await t.test("deliveries are the latest of all receivers, those that left included", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const at = world.time.now;
  const leaving = world.receiver("r1", { delivered_ms: { prom: at - 5, zabbix: at - 50 } });
  world.receiver("r2", { delivered_ms: { prom: at - 9, nagios: at - 7 } });
  await leaving.reporting.stop();
  await world.pass(2_000);
  t.same(reports.delivered(), { prom: at - 5, zabbix: at - 50, nagios: at - 7 });
  await reports.stop();
});

await t.test(
  "a receiver whose clock is wrong neither seems ready for longer nor to have delivered later",
  async (t) => {
    for (const aheadMs of [-3_600_000, 3_600_000]) {
      const world = new ReportsWorld();
      const reports = world.reports();
      const start = world.time.now;
      world.receiver("r1", { ready_since_ms: start + aheadMs, delivered_ms: { prom: start + aheadMs } }, aheadMs);
      await world.pass(30_000);
      const since = reports.readySince();
      t.ok(since >= start && since <= start + 2_000, `ready ${since - start} ms after the truth`);
      t.ok((reports.delivered()["prom"] ?? 0) <= start + 2_000);
      await reports.stop();
    }
  },
);

await t.test("while the store is away the last that was known holds, and silence counts", async (t) => {
  const world = new ReportsWorld();
  const reports = world.reports();
  const start = world.time.now;
  world.receiver("r1", { ready_since_ms: start - 500_000, delivered_ms: { prom: start } });
  await world.pass(12_000);
  world.store.isAway = true;
  await world.pass(30_000);
  t.ok(reports.readySince() < start);
  await world.pass(60_000);
  t.equal(reports.readySince(), world.time.now);
  t.same(reports.delivered(), { prom: start });
  world.store.isAway = false;
  await world.pass(10_000);
  t.ok(reports.readySince() < start);
  await reports.stop();
});

await t.test("a fact that is no report is left alone", async (t) => {
  const world = new ReportsWorld();
  for (const [at, text] of ["", "{", "7", "null", '{"number":1}', '{"number":"1"}'].entries())
    world.store.kept.set(`receiver_report.x${at}`, text);
  const reports = world.reports();
  world.receiver("r1", { ready_since_ms: 5 });
  await world.pass(12_000);
  t.ok(reports.readySince() <= 1_000 + 5);
  t.same(reports.delivered(), {});
  await reports.stop();
});
