import { FaultCounts } from "@winnow/testkit";
import t from "tap";
import { runCase } from "./case.ts";
import { commandFor } from "./command.ts";
import { casesOf, clusterCasesOf } from "./enumerate.ts";

/** Its calm run has everything: holds, delays, reopening, waiting alerts, poison, people, three rule generations. */
const enumeratedSeed = 1;
const randomSeeds = 250;
const runsMin = 2_000;
const shownMax = 10;

t.setTimeout(900_000);

const counts = new FaultCounts();
let runs = 0;

await t.test(
  "every operation may crash its process, lose its reply, land late or fail: nothing is lost or doubled",
  async (t) => {
    const cases = await casesOf(enumeratedSeed);
    let failed = 0;
    for (const { seed, at, kind } of cases) {
      const { violations, counts: happened } = await runCase({ seed, faults: { at, kind } });
      counts.addAll(happened);
      runs += 1;
      if (violations.length === 0) continue;
      failed += 1;
      if (failed <= shownMax) t.fail(commandFor(seed, { at, kind }), { violations });
    }
    t.equal(failed, 0, `failing cases of ${cases.length}`);
  },
);

await t.test(
  "in a cluster every step of a checkpoint, of a claim that restores from one, and of trimming may do so too",
  async (t) => {
    const cases = await clusterCasesOf(enumeratedSeed);
    let failed = 0;
    for (const { seed, at, kind } of cases) {
      const { violations, counts: happened } = await runCase({ seed, scaleOut: true, faults: { at, kind } });
      counts.addAll(happened);
      runs += 1;
      if (violations.length === 0) continue;
      failed += 1;
      if (failed <= shownMax) t.fail(commandFor(seed, { at, kind, scaleOut: true }), { violations });
    }
    t.equal(failed, 0, `failing cases of ${cases.length}`);
  },
);

await t.test(
  "crashes, power cuts, zombies, rebalances, rewound stores and a rough vendor together: it still holds",
  async (t) => {
    let failed = 0;
    for (let seed = 1; seed <= randomSeeds; seed += 1) {
      const { violations, counts: happened } = await runCase({ seed, faults: "random" });
      counts.addAll(happened);
      runs += 1;
      if (violations.length === 0) continue;
      failed += 1;
      if (failed <= shownMax) t.fail(commandFor(seed), { violations });
    }
    t.equal(failed, 0, `failing seeds of ${randomSeeds}`);
  },
);

await t.test("every kind of fault happened, in enough runs", async (t) => {
  t.same(counts.missing(), [], String(counts));
  t.ok(runs >= runsMin, `${runs} runs`);
});

await t.test("the same seed gives the same run, operation by operation", async (t) => {
  const traceOf = async () => {
    const lines: string[] = [];
    await runCase({ seed: 7, faults: "random", trace: (line) => lines.push(line) });
    return lines;
  };
  const first = await traceOf();
  t.same(await traceOf(), first);
  t.ok(first.length > 1_000, `${first.length} lines`);
});
