import t from "tap";
import { systemClock } from "../../src/assembly/platform-parts.ts";

/** The machine's clocks, set by hand. */
function machine() {
  const at = { wall: 1_000_000, monotonic: 50 };
  const clock = systemClock({ wall: () => at.wall, monotonic: () => at.monotonic });
  const pass = (ms: number): void => {
    at.wall += ms;
    at.monotonic += ms;
  };
  return { at, clock, pass };
}

await t.test("the clock shows the machine's time", async (t) => {
  const { clock, pass } = machine();
  t.equal(clock.now(), 1_000_000);
  pass(1_234);
  t.equal(clock.now(), 1_001_234);
});

await t.test("set back, the clock goes on at half its pace until the machine's time has caught up", async (t) => {
  const { at, clock, pass } = machine();
  t.equal(clock.now(), 1_000_000);
  at.wall -= 3_600_000;
  t.equal(clock.now(), 1_000_000, "never back");
  pass(10_001);
  t.equal(clock.now(), 1_005_000, "and never still: timers go on; whole milliseconds");
  for (let minute = 0; minute < 119; minute += 1) pass(60_000);
  t.ok(clock.now() > at.wall);
  pass(60_000);
  t.equal(clock.now(), at.wall, "two hours make up for one");
  pass(500);
  t.equal(clock.now(), at.wall);
});

await t.test("a start after the clock was set back begins where the stored clocks stand", async (t) => {
  const { at, clock, pass } = machine();
  clock.notBefore(at.wall + 3_600_000);
  t.equal(clock.now(), 4_600_000);
  pass(2_000);
  t.equal(clock.now(), 4_601_000);
  clock.notBefore(5);
  t.equal(clock.now(), 4_601_000, "an older time changes nothing");
});

await t.test("a moment that has passed already is no trouble to wait for", async (t) => {
  const warnings: Error[] = [];
  const hear = (warning: Error): void => void warnings.push(warning);
  process.on("warning", hear);
  t.teardown(() => process.off("warning", hear));
  await systemClock().sleep(-5);
  t.same(warnings, []);
});
