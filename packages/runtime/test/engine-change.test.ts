import type { RulesRecord } from "@winnow/contracts";
import { engineVersion } from "@winnow/core";
import t from "tap";
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
async function worldOf(how: { readonly handedOver: boolean }): Promise<StageWorld> {
  const world = new StageWorld("B");
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
