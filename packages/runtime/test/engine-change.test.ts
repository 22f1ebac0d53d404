import type { LogValue, RulesRecord } from "@winnow/contracts";
import { type CompiledRuleSet, correlateStage, engineVersion } from "@winnow/core";
import type { CommitMeta, StagePartition } from "@winnow/ports";
import {
  FaultCounts,
  FaultyEventLog,
  FaultyWindowStore,
  LogDisk,
  Operations,
  Random,
  testHash,
  VirtualProcess,
  VirtualTime,
  WindowTables,
} from "@winnow/testkit";
import t from "tap";
import { StageSession } from "../src/stage-session.ts";

const at: StagePartition = { stage: "B", partition: 0 };
const older = engineVersion - 1;
const newer = engineVersion + 1;
/** Nothing is decided by them here. */
const noRules = { digest: "none" } as CompiledRuleSet;

/** Stage B's first partition on stores of its own. */
class World {
  readonly time = new VirtualTime(1_000_000);
  readonly disk = new LogDisk(1);
  readonly tables = new WindowTables();
  readonly #process = new VirtualProcess("correlator", this.time);
  readonly #operations = new Operations(this.time, new Random(1), new FaultCounts());
  readonly #log = new FaultyEventLog(this.disk, this.#process, this.#operations, { definite: true });
  #tokens = 0;

  async open(): Promise<StageSession<unknown>> {
    const windows = new FaultyWindowStore(this.tables, this.#process, this.#operations, 1);
    const token = `token-${this.#tokens++}`;
    const opening = StageSession.open(
      correlateStage,
      { partition: 0, token, signal: new AbortController().signal },
      {
        log: this.#log,
        windows,
        clock: this.#process.clock,
        hash: testHash,
        rules: { initial: noRules, get: () => Promise.reject(new Error("no rules are put in force")) },
        facts: { readySince: () => 0, delivered: () => ({}) },
        cacheMax: 10,
      },
    );
    return (await this.until(opening)) as StageSession<unknown>;
  }

  async append(...values: readonly LogValue[]): Promise<void> {
    const records = values.map((value) => ({ value, events: 0 }));
    await this.until(this.#log.append("transitions", 0, records));
  }

  /** Everything from the session's position on. */
  async processAll(session: StageSession<unknown>): Promise<void> {
    const records = this.disk.file("transitions", 0).read(session.position, 100);
    for (const record of records) await this.until(session.process(record));
  }

  /** The stored commit is of this engine. */
  decidedBy(version: number): void {
    const meta = this.meta;
    this.tables.claim(at, "older");
    this.tables.commit(at, "older", meta.position, { meta: { ...meta, engine_version: version }, changes: [] });
  }

  get meta(): CommitMeta {
    const meta = this.tables.meta(at);
    if (meta === null) throw new Error("it has committed");
    return meta;
  }

  get kinds(): string[] {
    return (
      this.disk
        .files("transitions")[0]
        ?.everything()
        .map(({ value }) => value.kind) ?? []
    );
  }

  async until<Value>(work: Promise<Value>): Promise<Value> {
    const done = new AbortController();
    const watched = work.finally(() => done.abort());
    watched.catch(() => {});
    while (!done.signal.aborted) await this.time.runUntil(this.time.now + 10);
    return watched;
  }
}

const rules = (generation: number): RulesRecord => ({ kind: "rules", at_ms: 0, generation, digest: "d" });

/** One that has committed two records, in good order or not. */
async function worldOf(how: { readonly handedOver: boolean }): Promise<World> {
  const world = new World();
  await world.append(rules(0), rules(0));
  const session = await world.open();
  await world.processAll(session);
  await world.until(session.commit());
  if (how.handedOver) await world.until(session.handOver());
  return world;
}

await t.test(
  "an owner that stops in good order says so, and the next one takes it back before it decides",
  async (t) => {
    const world = await worldOf({ handedOver: true });
    t.match(world.meta, { position: 2, handed_over: true });
    await world.open();
    t.equal(world.meta.handed_over, undefined);
    t.equal(world.meta.position, 2);
  },
);

await t.test("handed over in good order, a new engine decides from there on, whatever waits", async (t) => {
  const world = await worldOf({ handedOver: true });
  world.decidedBy(older);
  await world.append(rules(0));
  const session = await world.open();
  await world.processAll(session);
  await world.until(session.commit());
  t.match(world.meta, { position: 3, engine_version: engineVersion });
  t.same(world.kinds, ["rules", "rules", "rules"]);
});

await t.test("not handed over, a new engine decides from its engine record on", async (t) => {
  const world = await worldOf({ handedOver: false });
  world.decidedBy(older);
  await world.open();
  t.same(world.kinds, ["rules", "rules", "engine"]);
  await world.append(rules(0));
  const session = await world.open();
  t.equal(world.kinds.length, 4, "one that waits is enough");
  await world.processAll(session);
  await world.until(session.commit());
  t.match(world.meta, { position: 4, engine_version: engineVersion });
});

await t.test("what lies before the engine record is the older engine's to finish", async (t) => {
  const world = await worldOf({ handedOver: false });
  world.decidedBy(older);
  await world.append(rules(0));
  const session = await world.open();
  t.same(world.kinds, ["rules", "rules", "rules", "engine"]);
  await t.rejects(world.processAll(session), { code: "engine_too_old" });
  t.match(world.meta, { position: 2, engine_version: older });
});

await t.test("an older engine commits right behind the record of a newer one, and decides no more", async (t) => {
  const world = await worldOf({ handedOver: false });
  await world.append({ kind: "engine", at_ms: 0, version: newer }, rules(0));
  const session = await world.open();
  await t.rejects(world.processAll(session), { code: "engine_too_old" });
  t.match(world.meta, { position: 3, engine_version: newer, handed_over: true });
  await t.rejects(world.open(), { code: "engine_too_old" });
});
