import type { RulesRecord } from "@winnow/contracts";
import { engineVersion } from "@winnow/core";
import t, { type Test } from "tap";
import { namesEngine } from "../src/engine-change.ts";
import { StageWorld } from "./stage-world.ts";

const older = engineVersion - 1;
const newer = engineVersion + 1;

/** The stored commit is of this engine. */
function decidedBy({ meta, tables, at }: StageWorld, version: number): void {
  tables.claim(at, "older");
  tables.commit(at, "older", meta.position, { meta: { ...meta, engine_version: version }, changes: [] });
}

const kindsIn = ({ records }: StageWorld): string[] => records.map(({ value }) => value.kind);

const rules = (generation: number): RulesRecord => ({ kind: "rules", at_ms: 0, generation, digest: "d" });

/** One that has committed two records, in good order or not. */
async function worldOf(how: { readonly handedOver: boolean; readonly checkpoints?: boolean }): Promise<StageWorld> {
  const world = new StageWorld("B", 0, how.checkpoints);
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
  decidedBy(world, older);
  await world.append(rules(0));
  const session = await world.open();
  await world.processAll(session);
  await world.until(session.commit());
  t.match(world.meta, { position: 3, engine_version: engineVersion });
  t.same(kindsIn(world), ["rules", "rules", "rules"]);
});

await t.test("not handed over, a new engine decides from its engine record on", async (t) => {
  const world = await worldOf({ handedOver: false });
  decidedBy(world, older);
  await world.open();
  t.same(kindsIn(world), ["rules", "rules", "engine"]);
  await world.append(rules(0));
  const session = await world.open();
  t.equal(kindsIn(world).length, 4, "one that waits is enough");
  await world.processAll(session);
  await world.until(session.commit());
  t.match(world.meta, { position: 4, engine_version: engineVersion });
});

await t.test("what lies before the engine record is the older engine's to finish", async (t) => {
  const world = await worldOf({ handedOver: false });
  decidedBy(world, older);
  await world.append(rules(0));
  const session = await world.open();
  t.same(kindsIn(world), ["rules", "rules", "rules", "engine"]);
  await t.rejects(world.processAll(session), { code: "engine_too_new", fields: { older } });
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

await t.test(
  "an owner that stops before it has caught up with the one before says nothing of good order",
  async (t) => {
    const world = await worldOf({ handedOver: false });
    // The owner before may have decided these, and published what came of it, when it died.
    await world.append(rules(0), rules(0));
    const session = await world.open();
    await world.until(session.handOver());
    t.equal(world.meta.handed_over, undefined);
    await world.processAll(session);
    await world.until(session.commit());
    await world.until(session.handOver());
    t.match(world.meta, { position: 4, handed_over: true });
  },
);

await t.test("no time passes with an engine record", async (t) => {
  const world = await worldOf({ handedOver: false });
  const { clock_ms: before } = world.meta;
  await world.append({ kind: "engine", at_ms: before + 60_000, version: engineVersion });
  const session = await world.open();
  await world.processAll(session);
  await world.until(session.commit());
  t.match(world.meta, { position: 3, clock_ms: before });
});

const state = { key: "b:x", value: "1", deadline_ms: null, changed_at: 1 };

/** An older engine's checkpoint lies at its commit, or before it, where the state had another value. */
async function withCheckpoint(
  how: { readonly handedOver: boolean } = { handedOver: true },
  position = 2,
): Promise<StageWorld> {
  const world = await worldOf({ ...how, checkpoints: true });
  const meta = { ...world.meta, engine_version: older };
  world.tables.claim(world.at, "older");
  world.tables.commit(world.at, "older", 2, { meta, changes: [state] });
  const before = { ...state, value: "0", changed_at: 0 };
  const { handed_over: _, ...rest } = meta;
  world.checkpointTables.forget(world.at);
  world.checkpointTables.save(world.at, {
    previous: 0,
    meta: { ...rest, position },
    changes: [position === 2 ? state : before],
  });
  return world;
}

/** Whoever comes after the window store was emptied is of the new engine, at this position, and knows the state. */
async function goesOnAfterLoss(t: Test, world: StageWorld, position: number): Promise<void> {
  t.match(world.checkpointTables.stored(world.at)?.meta, { position, engine_version: engineVersion });
  const { length } = world.records;
  world.tables.restore(null);
  const session = await world.open();
  t.match(world.meta, { position, engine_version: engineVersion });
  t.match(world.tables.rows(world.at).get(state.key), { value: "1" });
  t.equal(world.records.length, length, "no engine record is needed");
  await world.processAll(session);
}

await t.test(
  "before a new engine decides anything the checkpoint is of it, and an emptied store stays its",
  async (t) => {
    for (const position of [2, 1]) {
      const world = await withCheckpoint({ handedOver: true }, position);
      await world.append(rules(0));
      const session = await world.open();
      t.match(world.checkpointTables.stored(world.at)?.meta, { position: 2 }, "none is decided yet");
      await world.processAll(session);
      await goesOnAfterLoss(t, world, 2);
    }
  },
);

await t.test("behind its engine record too", async (t) => {
  const world = await withCheckpoint({ handedOver: false });
  await world.append({ kind: "engine", at_ms: 0, version: engineVersion }, rules(0));
  const session = await world.open();
  await world.processAll(session);
  await goesOnAfterLoss(t, world, 3);
});

await t.test(
  "while the checkpoint can't be saved a new engine decides nothing, however often it starts over",
  async (t) => {
    const world = await withCheckpoint();
    world.operations.plan = { next: ({ name }) => (name === "checkpoints.save" ? "fails" : null) };
    for (const nth of ["first", "second"]) await t.rejects(world.open(), { code: "store_unavailable" }, nth);
    world.operations.plan = { next: ({ name }) => (name === "checkpoints.save" ? "done_reply_lost" : null) };
    await t.rejects(world.open(), { code: "store_unknown" });
    world.operations.plan = { next: () => null };
    await world.open();
    await goesOnAfterLoss(t, world, 2);
  },
);

await t.test(
  "a copy of what an older engine handed over, put back while a newer one decides, is not taken",
  async (t) => {
    const world = await withCheckpoint();
    const copy = world.tables.snapshot();
    await world.open();
    world.tables.restore(copy);
    t.match(world.meta, { engine_version: older, handed_over: true });
    await world.open();
    t.match(world.meta, { position: 2, engine_version: engineVersion });

    const meta = { ...world.meta, engine_version: newer };
    world.checkpointTables.save(world.at, { previous: 2, meta, changes: [] });
    t.match(world.meta, { engine_version: engineVersion });
    await t.rejects(world.open(), { code: "engine_too_old" });
  },
);

await t.test(
  "without a checkpoint the first engine may begin anew, so a later one saves it before it decides",
  async (t) => {
    t.equal(namesEngine(null, 1), true);
    t.equal(namesEngine(null, 2), false);
  },
);
