import t from "tap";
import type { StageSession } from "../src/stage-session.ts";
import { StageWorld } from "./stage-world.ts";

const heldBackMsMax = 60_000;

/** A world whose partition has a timer. */
function worldWithTimer(stage: "A" | "B", deadlineMs: number, skewMs = 0): StageWorld {
  const world = new StageWorld(stage, skewMs);
  world.tables.claim(world.at, "before");
  const meta = {
    position: 0,
    log_id: world.disk.file(stage === "A" ? "alerts" : "transitions", 0).logId,
    clock_ms: 0,
    rule_generation: 0,
    rule_digest: "none",
    engine_version: 1,
    marks: {},
    published: {},
    outcomes: {},
    seen: 0,
    passed: 0,
    settled: 0,
  };
  const timer = { key: "a:timer", value: "{}", deadline_ms: deadlineMs, changed_at: 0 };
  world.tables.commit(world.at, "before", 0, { meta, changes: [timer] });
  return world;
}

/** Time of the last tick in the log. */
function tickedAt(world: StageWorld): number {
  const value = world.records.at(-1)?.value;
  return value?.kind === "tick" ? value.at_ms : 0;
}

await t.test("stage A's time waits for what receivers have not shipped, up to a minute", async (t) => {
  const world = worldWithTimer("A", 2_000_000);
  const session = await world.open();
  const usual = world.time.now - tickedAt(world);
  t.ok(usual >= 0 && usual < 100, "else it is now");
  t.equal(session.nextDeadline(), 2_000_000);
  for (const [unshipped, heldBack] of [
    [20_000, 20_000],
    [heldBackMsMax * 5, heldBackMsMax],
    [-5, 0],
  ] as const) {
    world.unshippedMs = unshipped;
    const asked = world.time.now;
    await world.until(session.tick());
    t.equal(tickedAt(world), asked - heldBack);
    t.equal(session.nextDeadline(), 2_000_000 + heldBack, "and it does not tick in vain");
  }
});

await t.test("stage B's time is not held back: what it waits for is in the log", async (t) => {
  const world = worldWithTimer("B", 2_000_000);
  world.unshippedMs = 20_000;
  const session = await world.open();
  const asked = world.time.now;
  await world.until(session.tick());
  t.equal(tickedAt(world), asked);
  t.equal(session.nextDeadline(), 2_000_000);
});

await t.test(
  "an owner whose clock is behind learns it from what the log holds, and is a second late at most",
  async (t) => {
    const behindMs = 300_000;
    const world = worldWithTimer("B", 2_000_000, -behindMs);
    const session = await world.open();
    t.equal(session.nextDeadline(), 2_000_000);
    await world.append({ kind: "rules", at_ms: 0, generation: 0, digest: "" });
    await world.processAll(session);
    for (const told of ["any record", "its own tick"]) {
      const early = 2_000_000 - (session.nextDeadline() ?? 0);
      t.ok(early > behindMs - 1_100 && early <= behindMs, `${told}: ${early} ms by its own clock`);
      await world.until(session.tick());
      const late = world.time.now - tickedAt(world);
      t.ok(late >= 0 && late < 1_100, `${late} ms`);
      await world.processAll(session);
    }
  },
);

await t.test("an owner whose clock runs ahead learns by how much from its own tick alone", async (t) => {
  const aheadMs = 300_000;
  const world = worldWithTimer("B", 2_000_000, aheadMs);
  const session = await world.open();
  await world.append({ kind: "tick", at_ms: world.time.now + 900_000, ready_since_ms: 0, delivered_ms: {} });
  await world.processAll(session);
  t.equal(session.nextDeadline(), 2_000_000, "another's says nothing of ours");
  await world.until(session.tick());
  await world.processAll(session);
  const learned = (session.nextDeadline() ?? 0) - 2_000_000;
  t.ok(learned > aheadMs - 100 && learned <= aheadMs, `${learned} ms`);
  await world.until(session.commit());
  t.ok(world.meta.clock_ms <= world.time.now, "nothing is later than now");
});

/** Ticks whenever the session wants to, as the loop does, until its timer has fired; ms that it took, and the ticks. */
async function fires(world: StageWorld, session: StageSession<unknown>) {
  const began = world.time.now;
  let ticks = 0;
  for (let next = session.nextDeadline(); next !== null; next = session.nextDeadline()) {
    const wait = Math.min(Math.max(next - world.process.clock.now(), 50), 1_000);
    await world.time.runUntil(world.time.now + wait);
    if ((session.nextDeadline() ?? 0) > world.process.clock.now()) continue;
    await world.until(session.tick());
    await world.processAll(session);
    ticks += 1;
  }
  return { ms: world.time.now - began, ticks };
}

const hourMs = 3_600_000;
const timerMs = 120_000;

for (const [steppedMs, hasRead] of [
  [-hourMs, true],
  [-hourMs, false],
  [hourMs, true],
] as const) {
  const how = `${steppedMs < 0 ? "back" : "ahead"}${hasRead ? "" : " before it has read anything"}`;
  await t.test(`an owner whose clock is set ${how} still ticks in time`, async (t) => {
    const world = worldWithTimer("B", 1_000_000 + timerMs);
    const session = await world.open();
    if (hasRead) await world.append({ kind: "rules", at_ms: 0, generation: 0, digest: "" });
    await world.processAll(session);
    const began = world.time.now;
    await world.time.runUntil(began + 30_000);
    world.process.skewMs = steppedMs;
    const { ticks } = await fires(world, session);
    const late = world.time.now - 1_000_000 - timerMs;
    t.ok(late >= 0 && late < 1_200, `${late} ms`);
    t.ok(ticks <= 2, `${ticks} ticks`);
  });
}

await t.test("an owner whose machine slept, its monotonic clock with it, ticks once it is awake", async (t) => {
  const world = worldWithTimer("B", 1_000_000 + timerMs);
  const session = await world.open();
  await world.append({ kind: "rules", at_ms: 0, generation: 0, digest: "" });
  await world.processAll(session);
  world.disk.skewMs = hourMs;
  world.process.skewMs = hourMs;
  t.ok((await fires(world, session)).ms < 1_200);
});

await t.test(
  "where the log's time is set back a timer takes three times as long at most, over restarts too",
  async (t) => {
    const world = worldWithTimer("B", 1_000_000 + timerMs);
    let session = await world.open();
    await world.append({ kind: "rules", at_ms: world.time.now, generation: 0, digest: "" });
    await world.processAll(session);
    world.disk.skewMs = -hourMs;
    await world.append({ kind: "rules", at_ms: world.time.now, generation: 0, digest: "" });
    await world.processAll(session);
    await world.time.runUntil(world.time.now + 60_000);
    await world.until(session.tick());
    await world.processAll(session);
    await world.until(session.commit());
    t.ok(world.meta.clock_ms - 1_000_000 >= 29_000, "half of the minute counts");
    session = await world.open();
    const { ms, ticks } = await fires(world, session);
    t.ok(ms > 60_000 && ms < 2 * timerMs, `${ms} ms after the restart`);
    t.ok(ticks < 20, `${ticks} ticks`);
    t.equal(session.nextDeadline(), null);
  },
);
