import { createLogger } from "@winnow/platform";
import type { IncidentPruner } from "@winnow/ports";
import { parseRules } from "@winnow/rules";
import { VirtualProcess, VirtualTime } from "@winnow/testkit";
import t from "tap";
import { keptMs, startPruning } from "../../src/assembly/pruning.ts";

const hour = 3_600_000;

await t.test("an incident is kept while it may open again, however short its retention is", async (t) => {
  const parsed = parseRules("rules: [{ id: r, group_by: [service], window: { reopen: 3d } }]", "rules.yaml");
  if (!parsed.ok) throw new Error("the rules are right");
  const log = { max_age: hour, max_bytes: 1 };
  const kept = (maxAge: number) =>
    keptMs({ rule_set: parsed.ruleSet, retention: { log, incidents: { max_age: maxAge } } });
  t.equal(kept(hour), 73 * hour);
  t.equal(kept(100 * hour), 100 * hour);
});

await t.test("old incidents go in small steps, once an hour, by the retention of that moment", async (t) => {
  const time = new VirtualTime(1_000 * hour);
  const asked: number[] = [];
  let left = 250;
  const store: IncidentPruner = {
    prune: async (before, limit) => {
      asked.push((time.now - before) / hour);
      const removed = Math.min(left, limit);
      left -= removed;
      return removed;
    },
  };
  let maxAge = 10 * hour;
  const { clock } = new VirtualProcess("winnow", time);
  const stop = startPruning(store, { maxAgeMs: () => maxAge, clock, logger: createLogger({ level: "error" }) });
  await time.runUntil(time.now + 1_000);
  t.same(asked.splice(0), [10, 10, 10]);
  maxAge = 20 * hour;
  await time.runUntil(time.now + hour);
  t.same(asked.splice(0), [20]);
  const stopped = stop();
  await time.runUntil(time.now + 5 * hour);
  await stopped;
  t.same(asked, []);
});
