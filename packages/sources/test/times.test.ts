import fc from "fast-check";
import t from "tap";
import { isoText } from "../src/times.ts";

await t.test("times are written as Date writes them", async (t) => {
  const time = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2200, 0, 1) });
  const day = fc.integer({ min: 7_305, max: 84_005 }).map((days) => days * 24 * 3_600_000 - 1);
  fc.assert(
    fc.property(fc.oneof(time, day), (ms) => {
      t.equal(isoText(ms), new Date(ms).toISOString());
    }),
    { numRuns: 2_000 },
  );
  t.equal(isoText(Date.UTC(2000, 1, 29, 23, 59, 59, 9)), "2000-02-29T23:59:59.009Z");
});
