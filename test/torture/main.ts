/**
 * `npm run torture -- --minutes N --seed S`: the long version of the kill test. With `--cluster` that of the cluster's
 * faults, or of the one that `--scenario` names: `outage` (Kafka down for N minutes), `loss` (Redis emptied with `--alerts`
 * open).
 */
import { parseArgs } from "node:util";
import { bringServers } from "@winnow/devservers";
import { runBrokerOutage } from "./cluster-chaos/broker-outage.ts";
import type { OwnServers } from "./cluster-chaos/faults.ts";
import { describeChaos, describeLoss, describeOutage } from "./cluster-chaos/report.ts";
import { runClusterChaos } from "./cluster-chaos/run.ts";
import { runWindowLoss } from "./cluster-chaos/window-loss.ts";
import { runKillNine } from "./kill-nine.ts";
import { describeReport } from "./report.ts";
import { openScratch, type Scratch } from "./scratch.ts";

const { values } = parseArgs({
  options: {
    cluster: { type: "boolean", default: false },
    scenario: { type: "string", default: "chaos" },
    alerts: { type: "string", default: "100000" },
    minutes: { type: "string", default: "10" },
    kills: { type: "string", default: "1" },
    faults: { type: "string", default: "1" },
    seed: { type: "string" },
    "every-ms": { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const minutes = Number(values.minutes);
const everyMs = Number(values["every-ms"] ?? (values.cluster ? 200 : 60));
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** One process, killed again and again. True when everything fits. */
async function torment(scratch: Scratch): Promise<boolean> {
  const killsMin = Number(values.kills);
  const report = await runKillNine({ seed, killsMin, durationMs: minutes * 60_000, everyMs, scratch, say });
  process.stdout.write(`${describeReport(report)}\n`);
  return report.verdict.problems.length === 0 && report.replayed.isEqual;
}

/** What is reported, and whether everything fits. */
interface Ending {
  readonly text: string;
  readonly isFine: boolean;
  readonly output: string;
}

const scenarios: Readonly<Record<string, (servers: OwnServers, scratch: Scratch) => Promise<Ending>>> = {
  chaos: async (servers, scratch) => {
    const faultsMin = Number(values.faults);
    const durationMs = minutes * 60_000;
    const report = await runClusterChaos({ seed, faultsMin, durationMs, everyMs, servers, scratch, say });
    const isFine = report.verdict.problems.length === 0 && report.troubles.length === 0;
    return { text: describeChaos(report), isFine, output: report.output };
  },
  outage: async (servers, scratch) => {
    const report = await runBrokerOutage({ seed, downMs: minutes * 60_000, alertsPerS: 200, servers, scratch, say });
    const bad = [report.verdict.problems, report.troubles, report.refused];
    return { text: describeOutage(report), isFine: bad.every(({ length }) => length === 0), output: report.output };
  },
  loss: async (servers, scratch) => {
    const report = await runWindowLoss({ seed, alerts: Number(values.alerts), servers, scratch, say });
    const isFine = report.recoveredMs !== null && report.refused === 0 && report.troubles.length === 0;
    return { text: describeLoss(report), isFine, output: report.output };
  },
};

/** A cluster over servers of its own. True when everything fits. */
async function tormentCluster(scratch: Scratch): Promise<boolean> {
  const scenario = scenarios[values.scenario];
  if (scenario === undefined) throw new Error(`--scenario is one of ${Object.keys(scenarios).join(", ")}`);
  const { stop, unavailable, kafka, redis, postgres } = await bringServers({
    kinds: ["kafka", "redis", "postgres"],
    log: say,
    own: true,
  });
  scratch.defer(stop);
  if (kafka === undefined || redis === undefined || postgres === undefined) {
    throw new Error(unavailable.map(({ kind, reason }) => `no ${kind}: ${reason}`).join("; "));
  }
  const { text, isFine, output } = await scenario({ kafka, redis, postgres }, scratch);
  process.stdout.write(`${text}\n`);
  if (!isFine) say(output);
  return isFine;
}

const scratch = openScratch();
const least = values.cluster
  ? `--cluster --scenario ${values.scenario} --faults ${values.faults} --alerts ${values.alerts}`
  : `--kills ${values.kills}`;
const again = `again: npm run torture -- ${least} --minutes ${values.minutes} --every-ms ${everyMs} --seed ${seed}`;
say(`seed ${seed}, ${minutes} min, in ${scratch.path}`);
try {
  if (!(await (values.cluster ? tormentCluster(scratch) : torment(scratch)))) {
    process.exitCode = 1;
    say(again);
  }
} catch (error) {
  process.exitCode = 1;
  say(`${error instanceof Error ? error.stack : String(error)}\n${again}`);
} finally {
  await scratch.cleanUp(values.keep);
}
