import t from "tap";
import { breakNames, breakOf } from "./breaks/index.ts";
import { runCase } from "./case.ts";
import { commandFor } from "./command.ts";

const seedsMax = 80;
const breaksMin = 12;

t.setTimeout(900_000);

await t.test("there are enough planted breaks", async (t) => {
  t.ok(breakNames.length >= breaksMin, `${breakNames.length} breaks`);
});

for (const name of breakNames)
  await t.test(`the planted break ${name} is seen`, async (t) => {
    for (let seed = 1; seed <= seedsMax; seed += 1) {
      const tampering = breakOf(name) ?? {};
      const { violations } = await runCase({ seed, faults: "random", tampering });
      if (violations.length === 0) continue;
      const { roughness } = tampering;
      const sound = await runCase({ seed, faults: "random", tampering: roughness === undefined ? {} : { roughness } });
      t.same(sound.violations, [], "the same run without the break holds");
      t.pass(`${commandFor(seed, { breakName: name })}: ${violations[0]?.slice(0, 160)}`);
      return;
    }
    t.fail(`not seen in ${seedsMax} seeds`);
  });
