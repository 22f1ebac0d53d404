import type { RulesRecord } from "@winnow/contracts";
import { createLogger, WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog, IncidentStore, WindowStore } from "@winnow/ports";
import { parseRules } from "@winnow/rules";
import { VirtualProcess, VirtualTime } from "@winnow/testkit";
import t from "tap";
import { sha256 } from "../../src/assembly/platform-parts.ts";
import { RuleActivator } from "../../src/assembly/stored-rules.ts";

const partitions = 4;

function setOf(id: string) {
  const parsed = parseRules(`rules: [{ id: ${id}, group_by: [service] }]`, "rules.yaml");
  if (!parsed.ok) throw new Error("the rules are right");
  return parsed.ruleSet;
}

/** A log whose partitions may refuse, a store of activations, and stage B that never commits. */
class World {
  readonly time = new VirtualTime(0);
  readonly full = new Set<number>();
  readonly appended: (readonly [partition: number, generation: number])[] = [];
  readonly reached: number[] = [];
  storeIsDown = false;
  #activation: { generation: number; digest: string } | null = null;

  activator(): RuleActivator {
    return new RuleActivator({
      store: {
        putRuleSet: async () => {
          if (this.storeIsDown) throw new WinnowError("store_unavailable", "down");
        },
        activate: async (digest: string) => {
          const before = this.#activation;
          if (before?.digest !== digest) this.#activation = { generation: (before?.generation ?? 0) + 1, digest };
          return this.#activation;
        },
        activation: async () => this.#activation,
      } as unknown as IncidentStore,
      windows: {
        metas: async () =>
          Array.from({ length: partitions }, (_, partition) => ({
            partition,
            meta: { rule_generation: this.reached[partition] ?? 0 },
          })),
      } as unknown as WindowStore,
      log: {
        partitions,
        append: async (_topic: string, partition: number, records: readonly AppendRecord[]) => {
          if (this.full.has(partition)) throw new WinnowError("log_full", "full");
          for (const { value } of records) this.appended.push([partition, (value as RulesRecord).generation]);
          return 0;
        },
      } as unknown as EventLog,
      clock: new VirtualProcess("winnow", this.time).clock,
      hash: sha256,
      logger: createLogger({ level: "error" }),
    });
  }
}

await t.test(
  "a partition whose log is full gets the newest rules once it takes writes, and each gets them once",
  async (t) => {
    const world = new World();
    const activator = world.activator();
    world.full.add(2);
    t.match(await activator.activate(setOf("one")), { generation: 1 });
    t.same(world.appended.splice(0), [
      [0, 1],
      [1, 1],
      [3, 1],
    ]);
    t.match(await activator.activate(setOf("two")), { generation: 2 });
    t.same(world.appended.splice(0), [
      [0, 2],
      [1, 2],
      [3, 2],
    ]);
    await world.time.runUntil(5_000);
    t.same(world.appended, []);
    world.full.clear();
    await world.time.runUntil(20_000);
    t.same(world.appended, [[2, 2]], "not the ones between");
    await activator.activate(setOf("two"));
    t.equal(world.appended.length, 1, "though stage B has committed nothing yet");
    await activator.stop();
  },
);

await t.test("a stop ends the repair", async (t) => {
  const world = new World();
  const activator = world.activator();
  world.full.add(0);
  await activator.activate(setOf("one"));
  const stopped = activator.stop();
  await world.time.runUntil(10_000);
  await stopped;
  world.full.clear();
  await world.time.runUntil(20_000);
  t.notOk(world.appended.some(([partition]) => partition === 0));
});

await t.test("a store that does not answer changes nothing", async (t) => {
  const world = new World();
  world.storeIsDown = true;
  await t.rejects(world.activator().activate(setOf("one")), { code: "store_unavailable" });
  t.same(world.appended, []);
});

await t.test("after a restart only partitions that stage B has not brought there are given the record", async (t) => {
  const world = new World();
  await world.activator().activate(setOf("one"));
  world.appended.splice(0);
  world.reached.push(1, 1, 0, 1);
  await world.activator().activate(setOf("one"));
  t.same(world.appended, [[2, 1]]);
});
