import type { EventLog, PartitionBounds, StagePartition } from "@winnow/ports";
import t from "tap";
import { ClaimLost } from "../src/partition-loop.ts";
import { claimRestored } from "../src/restore.ts";
import { at, CheckpointWorld, drop, metaAt, put } from "./checkpoint-world.ts";

const bounds = { log_id: metaAt(0).log_id, start_offset: 0, end_offset: 100 };

/** A log that only says where it begins and ends. */
function logOf(about: Partial<PartitionBounds> = {}): EventLog {
  const log: Partial<EventLog> = {
    bounds: async () => ({ ...bounds, ...about }),
    status: () => Promise.reject(new Error("nothing is counted for a claim")),
  };
  return log as EventLog;
}

/** A partition with a checkpoint at 5, and a commit at 9. */
function worldOf(): CheckpointWorld {
  const world = new CheckpointWorld();
  world.open();
  world.write(5, [put("a", "1", 0), put("b", "1", 4, 77)]);
  world.checkpointTables.save(at, { previous: 0, meta: metaAt(5), changes: [...world.windowTables.rows(at).values()] });
  world.write(9, [put("a", "2", 8), drop("b", 6), put("c", "1", 8, 99)]);
  return world;
}

function claim(world: CheckpointWorld, log: EventLog = logOf()) {
  const { windows, checkpoints, moves } = world;
  const checkpointReport = { restored: (_at: StagePartition, moved: (typeof moves)[number]) => moves.push(moved) };
  const stores = { log, windows, checkpoints, checkpointReport };
  return world.until(claimRestored({ ...at, topic: "transitions" }, "next", stores));
}

/** What the window store holds, and where it stands. */
function found(world: CheckpointWorld) {
  const rows = [...world.windowTables.rows(at).values()];
  return {
    rows: rows.toSorted((left, right) => (left.key < right.key ? -1 : 1)),
    meta: world.windowTables.meta(at),
  };
}
const checkpoint = { rows: [put("a", "1", 0), put("b", "1", 4, 77)], meta: metaAt(5) };

await t.test("a store that is ahead of the checkpoint is taken as it is", async (t) => {
  const world = worldOf();
  t.same(await claim(world), {
    meta: metaAt(9),
    deadlines: [{ key: "c", deadline_ms: 99 }],
    checkpoint: metaAt(5),
    handedOver: false,
  });
  t.same(world.windowTables.rows(at).size, 2);
  t.same(world.moves, []);
});

await t.test("an emptied store is filled from the checkpoint", async (t) => {
  const world = worldOf();
  world.windowTables.restore(null);
  const claimed = await claim(world);
  t.same(claimed, {
    meta: metaAt(5),
    deadlines: [{ key: "b", deadline_ms: 77 }],
    checkpoint: metaAt(5),
    handedOver: false,
  });
  t.same(world.moves, [{ from: 0, to: 5 }], "and that is told");
  t.same(found(world), checkpoint);
});

await t.test("an older copy is replaced, states that the checkpoint does not have are deleted", async (t) => {
  const world = new CheckpointWorld();
  world.open();
  world.write(2, [put("a", "0", 1), put("gone by then", "1", 1, 5)]);
  const older = world.windowTables.snapshot();
  world.write(5, [put("a", "1", 0), put("b", "1", 4, 77), drop("gone by then", 3)]);
  world.checkpointTables.save(at, { previous: 0, meta: metaAt(5), changes: [...world.windowTables.rows(at).values()] });
  world.windowTables.restore(older);
  t.same((await claim(world)).deadlines, [{ key: "b", deadline_ms: 77 }]);
  t.same(found(world), checkpoint);
});

await t.test("states of another log are replaced, wherever they stand", async (t) => {
  const world = worldOf();
  world.windowTables.claim(at, "former");
  const meta = { ...metaAt(50), log_id: "former" };
  world.windowTables.commit(at, "former", 9, { meta, changes: [put("z", "1", 40)] });
  await claim(world);
  t.same(found(world), checkpoint);
});

await t.test("that the last owner handed over is told beside its commit, not in it", async (t) => {
  const world = worldOf();
  world.windowTables.commit(at, world.token, 9, { meta: { ...metaAt(9), handed_over: true }, changes: [] });
  t.match(await claim(world), { meta: metaAt(9), handedOver: true });
  t.notOk("handed_over" in ((await claim(world)).meta ?? {}));
});

await t.test("a partition without a checkpoint is claimed as it is", async (t) => {
  const world = new CheckpointWorld();
  t.same(await claim(world), { meta: null, deadlines: [], checkpoint: null, handedOver: false });
});

for (const [code, about] of [
  ["log_replaced", { log_id: "another" }],
  ["log_offset_trimmed", { start_offset: 6 }],
  ["log_offset_beyond_end", { end_offset: 4 }],
] as const)
  await t.test(`a checkpoint that does not fit the log stops the partition: ${code}`, async (t) => {
    const world = worldOf();
    world.windowTables.restore(null);
    await t.rejects(claim(world, logOf(about)), { code, retry: "permanent" });
    t.equal(world.windowTables.meta(at), null, "nothing is written");
  });

await t.test("an owner that comes in between keeps the partition", async (t) => {
  const world = worldOf();
  world.windowTables.restore(null);
  world.operations.plan = {
    next: ({ name }) => {
      if (name === "checkpoints.rows") world.windowTables.claim(at, "another");
      return null;
    },
  };
  await t.rejects(claim(world), new ClaimLost({ refused: "position" }));
  t.equal(world.windowTables.meta(at), null);
  t.ok(world.windowTables.verify(at, "another", 0));
});

await t.test("stores that do not answer end the claim, and nothing is taken for absent", async (t) => {
  for (const silent of ["checkpoints.meta", "checkpoints.load", "checkpoints.rows", "windows.scan", "windows.commit"]) {
    const world = worldOf();
    world.windowTables.restore(null);
    world.operations.plan = { next: ({ name }) => (name === silent ? "fails" : null) };
    await t.rejects(claim(world), { code: "store_unavailable" }, silent);
    t.equal(world.windowTables.meta(at), null, silent);
  }
});
