import { parseArgs } from "node:util";
import { FaultCounts, type OperationFault, operationFaults } from "@winnow/testkit";
import { breakNames, breakOf } from "./breaks/index.ts";
import { type CaseResult, runCase } from "./case.ts";
import { commandFor } from "./command.ts";
import { casesOf, clusterCasesOf } from "./enumerate.ts";

const usage = `npx node test/simulation/main.ts [options]
  --seed N           one random run
  --seeds N          N random runs, from --from (1) on
  --enumerate        every operation of the calm run of --seed (1), with its faults
  --at OP --kind K   one fault at one operation of the calm run of --seed: ${operationFaults.join(" | ")}
  --scale-out        --enumerate, --at and --calm as a cluster: with checkpoints, over a window store that loses them
  --calm             the run of --seed without any fault
  --break NAME       with a planted break: ${breakNames.join(", ")}
  --trace            prints every operation`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    at: { type: "string" },
    kind: { type: "string" },
    break: { type: "string" },
    calm: { type: "boolean", default: false },
    "scale-out": { type: "boolean", default: false },
    enumerate: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

interface Case {
  readonly seed: number;
  readonly at?: number;
  readonly kind?: OperationFault;
}

function* randomCases(): Generator<Case> {
  const first = Number(values.seeds === undefined ? values.seed : values.from);
  for (let seed = first; seed < first + Number(values.seeds ?? 1); seed += 1) yield { seed };
}

async function chosenCases(): Promise<Iterable<Case>> {
  const seed = Number(values.seed);
  if (values.enumerate) return values["scale-out"] ? clusterCasesOf(seed) : casesOf(seed);
  if (values.at === undefined) return randomCases();
  const kind = operationFaults.find((one) => one === values.kind);
  if (kind === undefined) throw new Error(usage);
  return [{ seed, at: Number(values.at), kind }];
}

function run({ seed, at, kind }: Case): Promise<CaseResult> {
  const tampering = values.break === undefined ? {} : breakOf(values.break);
  if (tampering === undefined) throw new Error(usage);
  const one = at === undefined || kind === undefined ? ("random" as const) : { at, kind };
  const trace = values.trace ? { trace: (line: string) => process.stdout.write(`${line}\n`) } : {};
  const scaleOut = values["scale-out"] ? { scaleOut: true } : {};
  return runCase({ seed, faults: values.calm ? "calm" : one, tampering, ...scaleOut, ...trace });
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const counts = new FaultCounts();
  const total = { runs: 0, failed: 0, operations: 0, events: 0, incidents: 0, tickets: 0, hours: 0 };
  for (const one of await chosenCases()) {
    const result = await run(one);
    counts.addAll(result.counts);
    total.runs += 1;
    total.operations += result.operationCount;
    total.events += result.events;
    total.incidents += result.incidents;
    total.tickets += result.tickets;
    total.hours += result.virtualMs / 3_600_000;
    if (result.violations.length === 0) continue;
    total.failed += 1;
    const again = commandFor(one.seed, {
      ...one,
      scaleOut: values["scale-out"],
      ...(values.break === undefined ? {} : { breakName: values.break }),
    });
    process.stdout.write(`${[`FAILED: ${again}`, ...result.violations].join("\n  ")}\n`);
  }
  process.stdout.write(`${JSON.stringify({ ...total, hours: Number(total.hours.toFixed(2)) })}\n${String(counts)}\n`);
  if (total.failed > 0) process.exitCode = 1;
}

await main();
