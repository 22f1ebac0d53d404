import { WinnowError } from "@winnow/platform";
import t from "tap";
import { at, CheckpointWorld, drop, metaAt, put } from "./checkpoint-world.ts";

const turnMs = 30_000;

await t.test("what was committed is saved every 30 seconds, as the last commit has it", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  world.commit(checkpointer, 2, [put("a", "1", 0), put("b", "1", 1)]);
  await world.pass(turnMs - 1_000);
  t.equal(world.stored, null, "not before");
  await world.pass(1_000);
  world.commit(checkpointer, 4, [put("a", "2", 3, 7), drop("b", 2)]);
  world.commit(checkpointer, 5, [put("a", "of a later commit", 4)]);
  await world.pass(1_000);
  t.same(world.stored?.meta, metaAt(4), "the commit at which its turn came");
  t.same(world.rows, [put("a", "2", 3, 7)]);
  await world.pass(turnMs);
  checkpointer.turn();
  await world.pass(1_000);
  t.same(world.rows, [put("a", "of a later commit", 4)], "an idle partition has turns too");
  const saves = world.saved.length;
  await world.pass(turnMs);
  checkpointer.turn();
  await world.pass(1_000);
  t.equal(world.saved.length, saves, "what stands is not saved again");
});

await t.test("many changed states make an early checkpoint, a second after the last one at the earliest", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open({ collectedMax: 3 });
  const states = (position: number) => ["a", "b", "c"].map((key) => put(key, String(position), position - 1));
  await world.pass(1_000);
  world.commit(checkpointer, 1, states(1).slice(1));
  await world.pass(100);
  t.equal(world.stored, null, "not many");
  world.commit(checkpointer, 2, states(2));
  await world.pass(100);
  t.same(world.stored?.meta, metaAt(2));
  world.commit(checkpointer, 3, states(3));
  await world.pass(500);
  t.same(world.stored?.meta, metaAt(2), "a pause between two");
  await world.pass(500);
  world.commit(checkpointer, 4, []);
  await world.pass(100);
  t.same(world.stored?.meta, metaAt(4));
});

await t.test("a save that fails is told of and made good at the next turn; nothing of it is dropped", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  await world.pass(turnMs);
  world.operations.plan = { next: ({ name }) => (name === "checkpoints.save" ? "fails" : null) };
  world.commit(checkpointer, 2, [put("a", "1", 0), put("b", "1", 1)]);
  await world.pass(1_000);
  t.match(world.failed, [{ code: "store_unavailable" }]);
  world.operations.plan = { next: () => null };
  world.commit(checkpointer, 3, [put("b", "2", 2)]);
  t.equal(world.stored, null);
  await world.pass(turnMs);
  checkpointer.turn();
  await world.pass(1_000);
  t.same(world.stored?.meta, metaAt(3));
  t.same(world.rows, [put("a", "1", 0), put("b", "2", 2)]);
});

for (const kind of ["done_reply_lost", "lands_late"] as const)
  await t.test(
    `a save whose answer is lost (${kind}) is looked for, and the next one goes on from there`,
    async (t) => {
      const world = new CheckpointWorld();
      const checkpointer = world.open();
      await world.pass(turnMs);
      world.operations.plan = { next: ({ name }) => (name === "checkpoints.save" ? kind : null) };
      world.commit(checkpointer, 2, [put("a", "1", 0), put("b", "1", 1)]);
      await world.pass(10_000);
      world.operations.plan = { next: () => null };
      t.match(world.failed, [{ code: "store_unknown" }]);
      t.same(world.stored?.meta, metaAt(2));
      world.commit(checkpointer, 3, [drop("b", 2)]);
      for (let turns = 0; turns < 2; turns += 1) {
        await world.pass(turnMs);
        checkpointer.turn();
        await world.pass(1_000);
      }
      t.same(world.stored?.meta, metaAt(3));
      t.same(world.rows, [put("a", "1", 0)]);
    },
  );

await t.test("a checkpoint of another owner that is ahead stays, until this session is past it", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  world.commit(checkpointer, 2, [put("a", "1", 0)]);
  const others = [put("a", "1", 0), put("b", "1", 4), put("c", "1", 4)];
  world.checkpointTables.save(at, { previous: 0, meta: metaAt(5), changes: others });
  for (let turns = 0; turns < 3; turns += 1) {
    await world.pass(turnMs);
    checkpointer.turn();
    await world.pass(1_000);
  }
  t.same(world.stored?.meta, metaAt(5));
  world.commit(checkpointer, 7, [put("b", "1", 4), put("c", "2", 6)]);
  await world.until(checkpointer.finish());
  t.same(world.stored?.meta, metaAt(7));
  t.same(world.rows, [put("a", "1", 0), put("b", "1", 4), put("c", "2", 6)]);
  t.same(world.failed, []);
});

await t.test("what changed between the checkpoint and a crash is found by a scan, deletions too", async (t) => {
  const world = new CheckpointWorld();
  const first = world.open();
  world.commit(first, 3, [put("a", "1", 0), put("b", "1", 1), put("c", "1", 2)]);
  await world.until(first.finish());
  world.write(6, [put("a", "2", 4), drop("b", 5), put("d", "1", 5)]);
  const second = world.open();
  world.commit(second, 8, [put("d", "2", 7), put("e", "1", 6)]);
  await world.until(second.finish());
  t.same(world.stored?.meta, metaAt(8));
  t.same(world.rows, [put("a", "2", 4), put("c", "1", 2), put("d", "2", 7), put("e", "1", 6)]);
  t.same(world.saved, [3, 4], "what did not change is not saved again");
});

await t.test("commits made while it scans count more than what the scan saw", async (t) => {
  const world = new CheckpointWorld();
  world.open();
  world.write(3, [put("a", "1", 0), put("b", "1", 1), put("c", "1", 2)]);
  const checkpointer = world.open();
  await world.pass(turnMs);
  let hasScanned = false;
  world.operations.plan = {
    next: ({ name }) => {
      if (hasScanned && name === "windows.verify") {
        hasScanned = false;
        world.commit(checkpointer, 5, [put("a", "2", 4), drop("b", 4), put("d", "1", 4)]);
      }
      hasScanned ||= name === "windows.scan";
      return null;
    },
  };
  checkpointer.turn();
  await world.pass(1_000);
  t.same(world.stored?.meta, metaAt(5));
  t.same(world.rows, [put("a", "2", 4), put("c", "1", 2), put("d", "1", 4)]);
});

await t.test("a scan is not believed while another owner, or nobody, has the store", async (t) => {
  const world = new CheckpointWorld();
  world.open();
  world.write(3, [put("a", "1", 0)]);
  const checkpointer = world.open();
  const whole = world.windowTables.snapshot();
  world.windowTables.restore(null);
  await world.pass(turnMs);
  checkpointer.turn();
  await world.pass(5_000);
  t.equal(world.stored, null, "the store was emptied");
  world.windowTables.restore(whole);
  await world.pass(1_000);
  t.same(world.rows, [put("a", "1", 0)], "and put back");
  world.windowTables.claim(at, "another");
  const later = world.open();
  world.windowTables.claim(at, "another");
  world.session.abort();
  await world.until(later.finish());
  t.same(world.stored?.meta, metaAt(3));
});

await t.test("while nothing can be saved, no more than four times the maximum is kept; a scan finds it", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open({ collectedMax: 2 });
  world.operations.plan = { next: ({ name }) => (name === "checkpoints.save" ? "fails" : null) };
  for (let position = 1; position <= 12; position += 1) {
    await world.pass(1_000);
    world.commit(checkpointer, position, [put(`k${position}`, "1", position - 1)]);
  }
  const scans = (): number => world.operations.count;
  const before = scans();
  world.operations.plan = { next: () => null };
  await world.until(checkpointer.finish());
  t.same(world.stored?.meta, metaAt(12));
  t.equal(world.rows.length, 12);
  t.ok(scans() - before > 2, "it looked");
});

await t.test("a checkpoint store that went back is brought forward again", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  world.commit(checkpointer, 3, [put("a", "1", 0), put("b", "1", 2)]);
  await world.until(checkpointer.finish());
  world.checkpointTables.forget(at);
  world.commit(checkpointer, 5, [put("a", "2", 4)]);
  await world.until(checkpointer.finish());
  t.equal(world.stored, null, "that it is gone shows at the first save");
  await world.until(checkpointer.finish());
  t.same(world.rows, [put("a", "2", 4), put("b", "1", 2)]);
});

await t.test("a hand-over saves what is left, and ends with its session when the store does not answer", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  world.commit(checkpointer, 2, [put("a", "1", 0)]);
  world.process.pause();
  const ending = checkpointer.finish();
  await world.pass(1_000);
  world.session.abort();
  await world.until(ending);
  world.process.resume();
  await world.pass(1_000);
  t.same(world.stored?.meta, metaAt(2), "what was on its way was a commit that has been made");
});

await t.test("the log is needed from the stored checkpoint on, and never given up above the own commit", async (t) => {
  const world = new CheckpointWorld();
  const checkpointer = world.open();
  t.equal(await world.until(checkpointer.trimBelow()), 0);
  world.commit(checkpointer, 4, [put("a", "1", 0)]);
  t.equal(await world.until(checkpointer.trimBelow()), 0, "nothing is saved yet");
  await world.until(checkpointer.finish());
  world.commit(checkpointer, 9, []);
  t.equal(await world.until(checkpointer.trimBelow()), 4);
  world.checkpointTables.save(at, { previous: 4, meta: metaAt(20), changes: [] });
  t.equal(await world.until(checkpointer.trimBelow()), 9);
  world.checkpointTables.save(at, { previous: 20, meta: { ...metaAt(21), log_id: "another" }, changes: [] });
  t.equal(await world.until(checkpointer.trimBelow()), 0, "of another log");
  world.operations.plan = { next: () => "fails" };
  t.equal(await world.until(checkpointer.trimBelow()), 0, "not known");
});

await t.test(
  "a mistake of the program comes out at the next commit instead of being tried again for ever",
  async (t) => {
    const world = new CheckpointWorld();
    const checkpointer = world.open();
    await world.pass(turnMs);
    world.commit(checkpointer, 2, [put("a", "of the future", 2)]);
    await world.pass(1_000);
    t.throws(() => world.commit(checkpointer, 3, []), /nothing of its commit's future/);
    t.notOk(world.failed.some((error) => error instanceof WinnowError));
  },
);
