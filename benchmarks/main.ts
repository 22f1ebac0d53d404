/**
 * `npm run bench -- [--json] [--seconds N] [--only TEXT] [--without-alertmanager] [--rounds N] [--cluster]`
 *
 * Winnow, durable, beside Debian's Alertmanager, in memory: the same bytes to both, one after the other in one run,
 * each pinned to one core and the load to another. What is on the table is alerts taken, decided and stored.
 * With `--cluster` its three programs over real servers instead: what each of them costs.
 */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clusterMarkdown, runCluster } from "./cluster/report.ts";
import { type Footprint, measure, measureFootprint, type Row, scenarios } from "./rows.ts";
import { alertmanagerTarget } from "./targets/alertmanager.ts";
import type { Target } from "./targets/target.ts";
import { winnowTarget } from "./targets/winnow.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    "without-alertmanager": { type: "boolean", default: false },
    cluster: { type: "boolean", default: false },
  },
});

interface Report {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly arch: string;
    readonly node: string;
  };
  readonly targets: readonly { readonly name: string; readonly version: string }[];
  readonly rows: readonly Row[];
  /** Winnow's alerts per second to Alertmanager's; above 1 Winnow is ahead. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly footprint: Footprint | null;
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function targets(): Promise<Target[]> {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const winnow = winnowTarget(manifest.version);
  if (values["without-alertmanager"]) return [winnow];
  const alertmanager = await alertmanagerTarget(say);
  if ("unavailable" in alertmanager) {
    say(`Alertmanager is left out: ${alertmanager.unavailable}`);
    return [winnow];
  }
  return [winnow, alertmanager];
}

/** The median by speed: machines are noisy, and one run proves little. */
function median(rows: readonly Row[]): Row {
  const sorted = rows.toSorted((left, right) => left.alerts_per_s - right.alerts_per_s);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("no rounds were run");
  return middle;
}

async function run(): Promise<Report> {
  const measured = await targets();
  const rows: Row[] = [];
  for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
    const runs = new Map<Target, Row[]>(measured.map((target) => [target, []]));
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const target of measured) {
        say(`${scenario.name}: ${target.name}`);
        runs.get(target)?.push(await measure(target, scenario, Number(values.seconds) * 1_000));
      }
    rows.push(...[...runs.values()].map(median));
  }
  const [winnow] = measured;
  say("memory and restart");
  const footprint = values.only === "" && winnow !== undefined ? await measureFootprint(winnow) : null;
  return {
    machine: machineOf(),
    targets: measured.map(({ name, version }) => ({ name, version })),
    rows,
    ratios: ratiosOf(rows),
    footprint,
  };
}

function machineOf(): Report["machine"] {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    kernel: release(),
    arch: arch(),
    node: process.version,
  };
}

function machineLine({ cpu, cores, kernel, node }: Report["machine"]): string {
  return `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}`;
}

function ratiosOf(rows: readonly Row[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const row of rows.filter(({ target }) => target === "Winnow")) {
    const other = rows.find(({ scenario, target }) => scenario === row.scenario && target !== "Winnow");
    if (other !== undefined) ratios[row.scenario] = Number((row.alerts_per_s / other.alerts_per_s).toFixed(2));
  }
  return ratios;
}

function markdown(report: Report): string {
  const { machine, footprint } = report;
  const lines = [
    machineLine(machine),
    report.targets.map(({ name, version }) => `${name} ${version}`).join(", "),
    "",
    "| Load | Target | alerts/s | CPU-s per 1,000 | p50 ms | p99 ms | drain s | RSS MB | ratio |",
    "|---|---|---|---|---|---|---|---|---|",
    ...report.rows.map(
      (row) =>
        `| ${row.scenario} | ${row.target} | ${row.alerts_per_s} | ${row.cpu_s_per_1000} | ${row.p50_ms} | ${row.p99_ms} | ${row.drain_s} | ${row.rss_mb} | ${row.target === "Winnow" ? (report.ratios[row.scenario] ?? "") : ""} |`,
    ),
  ];
  if (footprint !== null)
    lines.push(
      "",
      `${footprint.open_alerts} open alerts: ${footprint.kb_per_open_alert} KB each; after a crash ready in ${footprint.ready_after_crash_ms} ms, caught up in ${footprint.caught_up_after_crash_ms} ms`,
    );
  return `${lines.join("\n")}\n`;
}

if (values.cluster) {
  const report = await runCluster({ only: values.only, durationMs: Number(values.seconds) * 1_000, say });
  const text = `${machineLine(machineOf())}\n${clusterMarkdown(report)}`;
  process.stdout.write(values.json ? `${JSON.stringify({ machine: machineOf(), ...report }, null, 2)}\n` : text);
} else {
  const report = await run();
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : markdown(report));
}
