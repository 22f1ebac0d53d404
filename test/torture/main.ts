/** `npm run torture -- --minutes N --seed S`: the long version of the kill test. */
import { parseArgs } from "node:util";
import { runKillNine } from "./kill-nine.ts";
import { describeReport } from "./report.ts";
import { openScratch } from "./scratch.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "1" },
    seed: { type: "string" },
    "every-ms": { type: "string", default: "60" },
    keep: { type: "boolean", default: false },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const minutes = Number(values.minutes);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const scratch = openScratch();
const again = `again: npm run torture -- --minutes ${values.minutes} --kills ${values.kills} --every-ms ${values["every-ms"]} --seed ${seed}`;
say(`seed ${seed}, ${minutes} min, in ${scratch.path}`);
try {
  const report = await runKillNine({
    seed,
    killsMin: Number(values.kills),
    durationMs: minutes * 60_000,
    everyMs: Number(values["every-ms"]),
    scratch,
    say,
  });
  process.stdout.write(`${describeReport(report)}\n`);
  if (report.verdict.problems.length > 0 || !report.replayed.isEqual) {
    process.exitCode = 1;
    say(again);
  }
} catch (error) {
  process.exitCode = 1;
  say(`${error instanceof Error ? error.stack : String(error)}\n${again}`);
} finally {
  await scratch.cleanUp(values.keep);
}
