import t from "tap";
import { ownServers, skipWithout } from "../real-servers/shared.ts";
import type { OwnServers } from "../torture/cluster-chaos/faults.ts";
import { describeLoss } from "../torture/cluster-chaos/report.ts";
import { recoveredMsMax, runWindowLoss } from "../torture/cluster-chaos/window-loss.ts";
import { openScratch } from "../torture/scratch.ts";

// The first run downloads 200 MB.
t.setTimeout(900_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_266);
const alerts = 10_000;

const found = await ownServers(t, ["kafka", "redis", "postgres"]);
const skip = skipWithout(found, "kafka", "redis", "postgres");

await t.test("a Redis that loses everything under load changes nothing", { skip }, async (t) => {
  const again = `again: npm run torture -- --cluster --scenario loss --alerts ${alerts} --seed ${seed}`;
  t.comment(again);
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runWindowLoss({
    seed,
    alerts,
    servers: found as OwnServers,
    scratch,
    say: (line) => t.comment(line),
  });
  t.comment(describeLoss(report));
  t.same(report.differences, [], `every alert and incident is as in a run that lost nothing; ${again}`);
  t.ok(
    report.recoveredMs !== null && report.recoveredMs <= recoveredMsMax,
    `so it was ${report.recoveredMs} ms after the loss; ${again}`,
  );
  t.equal(report.refused, 0, "nobody was refused");
  t.same(report.troubles, [], "no process ended by itself");
  t.ok(report.control.alerts >= alerts, `${report.control.alerts} alerts`);
  if (!t.passing()) t.comment(report.output);
});
