import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import t from "tap";
import { PartitionClock } from "../src/partition-clock.ts";

/** Between two records real time passes, and the log's own clock may be set. */
const step = fc.record({
  passedMs: fc.nat(20_000),
  setMs: fc.oneof(fc.constant(0), fc.integer({ min: -50_000, max: 50_000 })),
});

await t.test("the clock never goes back, stands still for nobody, and depends on the records alone", async (t) => {
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
    let clock = new PartitionClock(null);
    const whole = new PartitionClock(null);
    let appended = 1_000_000;
    let latest = appended;
    for (const { passedMs, setMs } of steps) {
      const before = clock.now;
      // A step falls right before the record: what passed until then is seen in the next gap alone.
      appended += passedMs + setMs;
      const gap = setMs === 0 ? passedMs : 0;
      latest = Math.max(latest, appended);
      clock.pass(appended, appended);
      whole.pass(appended, appended);
      if (clock.now < before) return false;
      if (before > 0 && clock.now < before + Math.floor(gap / 2) - 1 && clock.now < appended) return false;
      if (clock.now < appended) return false;
      // A restart goes on from the commit.
      clock = new PartitionClock(JSON.parse(JSON.stringify(clock.toMeta())) as ReturnType<PartitionClock["toMeta"]>);
      if (!isDeepStrictEqual(clock.toMeta(), whole.toMeta())) return false;
    }
    return true;
  });
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 300 });
  });
});

await t.test(
  "set back by an hour, the clock goes on at half pace, and two hours later it is the log's again",
  async (t) => {
    const clock = new PartitionClock({ clock_ms: 10_000_000 });
    clock.pass(10_000_000, 10_000_000);
    t.same(clock.toMeta(), { clock_ms: 10_000_000 });
    const set = 10_000_000 - 3_600_000;
    for (const afterMs of [0, 1, 2, 60_000]) {
      clock.pass(set + afterMs, set + afterMs);
      t.equal(clock.now, 10_000_000 + Math.floor(afterMs / 2));
      t.equal(clock.dueAt(10_100_000), set + 200_000, "a tick comes when it is due");
    }
    clock.pass(set + 7_200_000, set + 7_200_000);
    t.same(clock.toMeta(), { clock_ms: set + 7_200_000 });
    t.equal(clock.dueAt(20_000_000), 20_000_000);
  },
);

await t.test("records of steady time, old and new ones, never move it beyond the log's", async (t) => {
  const ages = fc.array(fc.record({ passedMs: fc.nat(5_000), ageMs: fc.nat(60_000) }), { maxLength: 50 });
  const property = fc.property(ages, (records) => {
    const clock = new PartitionClock(null);
    let appended = 1_000_000;
    let latest = 0;
    return records.every(({ passedMs, ageMs }) => {
      appended += passedMs;
      latest = Math.max(latest, appended - ageMs);
      clock.pass(appended, appended - ageMs);
      return clock.now === latest;
    });
  });
  t.doesNotThrow(() => {
    fc.assert(property, { numRuns: 300 });
  });
});
