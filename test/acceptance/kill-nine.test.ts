import t from "tap";
import { runKillNine } from "../torture/kill-nine.ts";
import { describeReport } from "../torture/report.ts";
import { openScratch } from "../torture/scratch.ts";
import { vendorFaults } from "../torture/ticket-system.ts";

t.setTimeout(600_000);

const seed = Number(process.env["WINNOW_TORTURE_SEED"] ?? 20_261);
const killsMin = 50;

await t.test("fifty kills under load lose no acknowledged alert and double no ticket", async (t) => {
  const again = `again: npm run torture -- --minutes 0 --kills ${killsMin} --every-ms 70 --seed ${seed}`;
  t.comment(again);
  const scratch = openScratch();
  t.teardown(() => scratch.cleanUp());
  const report = await runKillNine({
    seed,
    killsMin,
    durationMs: 0,
    everyMs: 70,
    scratch,
    say: (line) => t.comment(line),
  });
  t.comment(describeReport(report));
  const { verdict, replayed, attempts } = report;
  t.same(verdict.problems, [], `everything that was acknowledged is found, once; ${again}`);
  t.equal(verdict.accounting.in_flight, 0, "nothing is in flight at rest");
  t.equal(replayed.isEqual ? "equal" : replayed.text, "equal", `the log replayed gives the stored states; ${again}`);

  // A run that met no trouble would prove nothing.
  t.ok(report.kills >= killsMin, `${report.kills} kills`);
  t.ok(attempts.acked >= 500, `${attempts.acked} requests acknowledged`);
  t.ok(attempts.indeterminate >= 10, `${attempts.indeterminate} requests of which nobody knows`);
  t.ok((verdict.accounting.outcomes["duplicate"] ?? 0) >= 100, "alerts came more than once");
  t.ok((verdict.accounting.outcomes["outdated"] ?? 0) >= 50, "alerts came out of order");
  t.ok((verdict.accounting.outcomes["dead_letter"] ?? 0) >= 1, "junk came");
  t.ok(verdict.tickets >= 20, `${verdict.tickets} tickets`);
  for (const kind of vendorFaults) t.ok(report.vendorFaults[kind] >= 1, `the vendor did ${kind}`);
  t.ok(replayed.records >= 1_000, `${replayed.records} records replayed`);
});
