import t from "tap";
import { ownServers, skipWithout } from "../real-servers/shared.ts";
import { runBrokerOutage } from "../torture/cluster-chaos/broker-outage.ts";
import type { OwnServers } from "../torture/cluster-chaos/faults.ts";
import { describeOutage } from "../torture/cluster-chaos/report.ts";
import { openScratch } from "../torture/scratch.ts";

// The first run downloads 200 MB; a run that does not come to rest waits for five minutes before it says so.
t.setTimeout(900_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_265);
const downS = 30;

const found = await ownServers(t, ["kafka", "redis", "postgres"]);
const skip = skipWithout(found, "kafka", "redis", "postgres");

await t.test("with Kafka down for 30 s nobody is refused, and every alert ends as it should", { skip }, async (t) => {
  const again = `again: npm run torture -- --cluster --scenario outage --minutes ${downS / 60} --seed ${seed}`;
  t.comment(again);
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runBrokerOutage({
    seed,
    downMs: downS * 1_000,
    alertsPerS: 200,
    servers: found as OwnServers,
    scratch,
    say: (line) => t.comment(line),
  });
  t.comment(describeOutage(report));
  t.same(report.refused, [], `every request was acknowledged; ${again}`);
  t.same(report.verdict.problems, [], `every alert is found, once, in its final state; ${again}`);
  t.same(report.troubles, [], "no process ended by itself");
  t.ok(report.keptAlerts >= downS * 150, `${report.keptAlerts} alerts were acknowledged while Kafka was down`);
  if (!t.passing()) t.comment(report.output);
});
