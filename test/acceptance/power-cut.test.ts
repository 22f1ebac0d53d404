import t from "tap";
import { imageProblem } from "../torture/loop-image.ts";
import { runPowerCuts } from "../torture/power-cut.ts";
import { openScratch } from "../torture/scratch.ts";
import { countSyncs } from "../torture/sync-watch.ts";

t.setTimeout(600_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_262);
const again = `again: WINNOW_TORTURE_SEED=${seed} npm test -- test/acceptance/power-cut.test.ts`;

function imagesMissing(): string | false {
  const scratch = openScratch();
  try {
    return imageProblem(scratch) ?? false;
  } finally {
    void scratch.cleanUp();
  }
}
const skip = imagesMissing();

await t.test("twenty power cuts lose nothing that was acknowledged", { skip }, async (t) => {
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runPowerCuts({ seed, cuts: 20, fsync: true, everyMs: 50, scratch });
  t.comment(`${report.cuts} cuts, ${report.acknowledged} requests acknowledged`);
  t.same(report.lost, [], `each disk held what was acknowledged before its cut; ${again}`);
  t.same(report.verdict?.problems, [], `and everything fits in the end; ${again}`);
  const { replayed } = report;
  t.equal(
    replayed?.isEqual === true ? "equal" : replayed?.text,
    "equal",
    `the log replayed gives the stored states; ${again}`,
  );
  t.ok(report.cuts >= 20, `${report.cuts} cuts`);
  t.ok(report.acknowledged >= 200, `${report.acknowledged} requests acknowledged`);
});

await t.test("the same without fsync loses acknowledged alerts, and the test sees it", { skip }, async (t) => {
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runPowerCuts({ seed, cuts: 5, fsync: false, everyMs: 50, scratch });
  t.ok(report.lost.length > 0, `${report.lost.length} acknowledged messages were gone after ${report.cuts} cuts`);
});

await t.test("an append is answered only when all its bytes are synced", async (t) => {
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const durable = await countSyncs(scratch.folder("durable"), { fsync: true });
  t.equal(durable.unsynced, 0, "no answer came before its sync");
  t.ok(durable.syncs >= durable.appends, `${durable.syncs} syncs for ${durable.appends} appends`);
  const careless = await countSyncs(scratch.folder("careless"), { fsync: false });
  t.equal(careless.unsynced, careless.appends, "without fsync the same watch sees every answer come too early");
});
