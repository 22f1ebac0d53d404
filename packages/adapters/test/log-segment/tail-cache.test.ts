import type { StoredRecord } from "@winnow/ports";
import t from "tap";
import { TailCache } from "../../src/log-segment/tail-cache.ts";

const record = (offset: number): StoredRecord => ({
  offset,
  appended_ms: 0,
  value: { kind: "engine", at_ms: 0, version: 1 },
});

const offsets = (records: readonly StoredRecord[] | undefined): number[] | undefined =>
  records?.map(({ offset }) => offset);

await t.test("what a consumer has read is forgotten, what it has not read stays, in one unbroken run", async (t) => {
  const cache = new TailCache(30);
  for (let offset = 5; offset < 10; offset += 1) cache.push(record(offset), 10);
  t.same(offsets(cache.read(5, 1_000)), [5, 6, 7], "the newest did not fit");
  t.same(offsets(cache.read(6, 15)), [6]);
  t.equal(cache.read(4, 1_000), undefined);
  t.equal(cache.read(8, 1_000), undefined);
  cache.release(7);
  t.equal(cache.read(6, 1_000), undefined);
  cache.push(record(10), 10);
  t.same(offsets(cache.read(7, 1_000)), [7], "8 and 9 are only in the files: nothing is kept behind them");
  cache.release(10);
  cache.push(record(11), 10);
  cache.push(record(12), 10);
  t.same(offsets(cache.read(11, 1)), [11], "at least one");
  t.same(offsets(cache.read(12, 1_000)), [12]);
});
