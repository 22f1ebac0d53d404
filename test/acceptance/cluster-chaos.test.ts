import t from "tap";
import { ownServers, skipWithout } from "../real-servers/shared.ts";
import { faultKinds, type OwnServers } from "../torture/cluster-chaos/faults.ts";
import { describeChaos } from "../torture/cluster-chaos/report.ts";
import { drainMsMax, runClusterChaos } from "../torture/cluster-chaos/run.ts";
import { openScratch } from "../torture/scratch.ts";
import { vendorFaults } from "../torture/ticket-system.ts";

// The first run downloads 200 MB; a run that does not come to rest waits for six minutes before it says so.
t.setTimeout(1_200_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_264);
const faultsMin = 22;
const everyMs = 120;

const found = await ownServers(t, ["kafka", "redis", "postgres"]);
const skip = skipWithout(found, "kafka", "redis", "postgres");

await t.test("a cluster hurt at every part loses no acknowledged alert and doubles no ticket", { skip }, async (t) => {
  const again = `again: npm run torture -- --cluster --minutes 0 --faults ${faultsMin} --every-ms ${everyMs} --seed ${seed}`;
  t.comment(again);
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runClusterChaos({
    seed,
    faultsMin,
    durationMs: 0,
    everyMs,
    servers: found as OwnServers,
    scratch,
    say: (line) => t.comment(line),
  });
  t.comment(describeChaos(report));
  const { verdict, attempts, drainMs } = report;
  t.same(verdict.problems, [], `everything that was acknowledged is found, once; ${again}`);
  t.same(report.troubles, [], `no process ended by itself and all nodes count the same; ${again}`);
  t.equal(verdict.accounting.in_flight, 0, "nothing is in flight at rest");
  t.ok(drainMs !== null && drainMs <= drainMsMax, `at rest ${drainMs} ms after the last fault; ${again}`);
  if (!t.passing()) t.comment(report.output);

  // A run that met no trouble would prove nothing.
  for (const kind of faultKinds) t.ok(report.faults[kind] >= 1, kind);
  for (const kind of vendorFaults) t.ok(report.vendorFaults[kind] >= 1, `the vendor did ${kind}`);
  t.ok(attempts.acked >= 500, `${attempts.acked} requests acknowledged`);
  t.ok(attempts.indeterminate + attempts.unreachable >= 1, "receivers died under their senders");
  t.ok((verdict.accounting.outcomes["duplicate"] ?? 0) >= 50, "alerts came more than once");
  t.ok((verdict.accounting.outcomes["dead_letter"] ?? 0) >= 1, "junk came");
  t.ok(verdict.tickets >= 20, `${verdict.tickets} tickets`);
});
