import t from "tap";
import { combinationOf } from "../../src/assembly/combination.ts";
import { roles } from "../../src/assembly/roles.ts";

const none = { log: null, windows: null, store: null };
const log = "kafka://127.0.0.1:9092";
const windows = "redis://127.0.0.1:6379";
const store = "postgres://winnow@127.0.0.1/winnow";

await t.test("three combinations of log, windows and store are taken", async (t) => {
  t.strictSame(combinationOf(none, roles), { kind: "own_files", store: null });
  t.strictSame(combinationOf({ ...none, store }, roles), { kind: "own_files", store });
  t.strictSame(combinationOf({ log, windows, store }, roles), { kind: "cluster", log, windows, store });
  for (const role of roles)
    t.strictSame(combinationOf({ log, windows, store }, [role]), { kind: "cluster", log, windows, store });
});

await t.test("any other is refused with its reason and the way out", async (t) => {
  const refusals = [
    [{ ...none, log }, /read by many processes.*give windows \(Redis\) and store \(Postgres\)/],
    [{ ...none, log, store }, /read by many processes/],
    [{ ...none, log, windows }, /read by many processes/],
    [{ ...none, windows }, /would be lost with it.*give log \(Kafka\)/],
    [{ ...none, windows, store }, /would be lost with it/],
    [{ ...none, log: "http://127.0.0.1" }, /log is not an address.*kafka:\/\/ or kafkas:\/\//],
    [{ ...none, store: "mysql://127.0.0.1" }, /store is not an address.*postgres:\/\//],
  ] as const;
  for (const [given, message] of refusals)
    t.throws(() => combinationOf(given, roles), { code: "config_invalid", message });
});

await t.test("a node of a cluster alone needs all three servers", async (t) => {
  for (const role of roles)
    for (const given of [none, { ...none, store }])
      t.throws(() => combinationOf(given, [role]), { code: "config_invalid", message: /give log .* all three/ });
});
