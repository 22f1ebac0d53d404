import { type FaultCounts, faultAt, type OperationFault } from "@winnow/testkit";
import { Chaos, rough } from "./chaos.ts";
import { Cluster } from "./cluster.ts";
import { judge } from "./oracles.ts";
import { heartbeats, partitions, scenarioOf, startMs } from "./scenario.ts";
import { Outside } from "./senders.ts";
import { type Tampering, untampered } from "./tampering.ts";

export interface CaseOptions {
  readonly seed: number;
  /** `calm`: nothing goes wrong. `random`: everything does, by the seed. Else one fault at one operation. */
  readonly faults: "calm" | "random" | { readonly at: number; readonly kind: OperationFault };
  /** As a cluster: receivers ship to a shared log, checkpoints are kept, what they cover is trimmed, clocks differ. */
  readonly scaleOut?: boolean;
  readonly tampering?: Tampering;
  readonly trace?: (line: string) => void;
}

export interface CaseResult {
  /** Empty: everything held. */
  readonly violations: readonly string[];
  readonly counts: FaultCounts;
  /** Names of all operations, in order; only of calm runs. */
  readonly operations: readonly { readonly name: string; readonly effect: boolean }[];
  readonly operationCount: number;
  readonly incidents: number;
  readonly tickets: number;
  readonly events: number;
  readonly virtualMs: number;
}

const checkMs = 1_000;
const heartbeatMs = 12_000;
/** Past this much virtual time without coming to rest something is stuck. */
const restMsMax = 900_000;
/** Timers nearer than this are waited for: holds, delays and expiries; in rough runs the memory of incidents too. */
const horizonMs = { brief: 12_000, long: 120_000 };

/** Runs one case to its end and judges it. */
export async function runCase(options: CaseOptions): Promise<CaseResult> {
  const { seed, faults } = options;
  const random = faults === "random";
  const cluster = new Cluster({ seed, tampering: options.tampering ?? untampered, ...shapeOf(options) });
  const outside = new Outside(cluster);
  const chaos = new Chaos(cluster, outside);
  const operations: { name: string; effect: boolean }[] = [];
  cluster.operations.trace = options.trace === undefined ? null : tracer(cluster, options.trace);
  if (faults === "calm")
    cluster.operations.plan = {
      next: ({ name, effect }) => {
        operations.push({ name, effect });
        return null;
      },
    };
  else if (faults === "random") chaos.begin({ ...rough, ...options.tampering?.roughness });
  else cluster.operations.plan = faultAt(faults.at, faults.kind);
  const scenario = scenarioOf(seed, random ? "long" : "brief");
  schedule(cluster, outside, scenario);
  if (options.scaleOut === true) loseWindows(cluster);
  cluster.startAll();
  await cluster.time.runUntil(startMs + scenario.untilMs);
  if (random) chaos.end();
  const horizon = random ? horizonMs.long : horizonMs.brief;
  const rested = await rest(cluster, outside, horizon);
  cluster.counts.add("lease_taken_over", cluster.incidents.deliveries.takenOver);
  const violations = rested
    ? await judge(cluster, outside)
    : [stuck(cluster, outside, horizon), ...(await judge(cluster, outside))];
  return {
    violations,
    counts: cluster.counts,
    operations,
    operationCount: cluster.operations.count,
    incidents: cluster.incidents.incidents.size,
    tickets: cluster.vendor.tickets.size,
    events: cluster.disk.files("alerts").reduce((sum, file) => sum + file.status().events, 0),
    virtualMs: cluster.time.now - startMs,
  };
}

/** One process of each kind, as on a laptop; in rough runs also two of them, and the whole as a cluster. */
function shapeOf({ seed, faults, scaleOut }: CaseOptions) {
  const random = faults === "random";
  const many = random ? 1 + (seed % 2) : 1;
  const shared = scaleOut ?? (random && seed % 4 >= 2);
  return { correlators: many, routers: many, receivers: shared ? 2 : 1, scaleOut: shared, routerAlone: many === 1 };
}

function tracer(cluster: Cluster, write: (line: string) => void): (line: string) => void {
  return (line) => {
    write(`${String(cluster.time.now - startMs).padStart(7)} ${line}`);
  };
}

/** Even a calm cluster shows how it restores: its window store is emptied once, and once put back from an older copy. */
function loseWindows({ time, windows, counts }: Cluster): void {
  time.after(4_000, () => {
    const backup = windows.snapshot();
    time.after(2_000, () => {
      counts.add("windows_emptied");
      windows.restore(null);
    });
    time.after(6_500, () => {
      counts.add("windows_rewound");
      windows.restore(backup);
    });
  });
}

function schedule(cluster: Cluster, outside: Outside, scenario: ReturnType<typeof scenarioOf>): void {
  for (const { atMs, items } of scenario.deliveries) cluster.time.after(atMs, () => outside.send(items));
  for (const action of scenario.actions) cluster.time.after(action.atMs, () => outside.act(action));
  for (const activation of scenario.activations)
    cluster.time.after(activation.atMs, () => outside.activate(activation));
}

/** Lets everything come to rest. False: it did not, in all that time. */
async function rest(cluster: Cluster, outside: Outside, horizon: number): Promise<boolean> {
  const { time } = cluster;
  const since = time.now;
  let beat = since;
  while (time.now - since < restMsMax) {
    await time.runUntil(time.now + checkMs);
    if (outside.waiting === 0 && busyBecause(cluster, horizon) === null) return true;
    if (cluster.alarms.length > 0 || cluster.bugs.length > 0) return false;
    if (time.now - beat < heartbeatMs) continue;
    beat = time.now;
    outside.send(heartbeats(`beat-${time.now - startMs}`));
  }
  return false;
}

/** What keeps the world from being at rest, or null. */
function busyBecause(cluster: Cluster, horizon: number): string | null {
  const { disk, windows, incidents, time } = cluster;
  for (let partition = 0; partition < partitions; partition += 1) {
    const places = [
      { name: "A", file: disk.file("alerts", partition), meta: windows.meta({ stage: "A", partition }) },
      { name: "B", file: disk.file("transitions", partition), meta: windows.meta({ stage: "B", partition }) },
      { name: "C", file: disk.file("incident-events", partition), meta: incidents.meta(partition) },
    ];
    for (const { name, file, meta } of places) {
      if (file.synced !== file.records.length) return `${name}.${partition} has a tail that is not synced`;
      if ((meta?.position ?? 0) !== file.served)
        return `${name}.${partition} stands at ${meta?.position ?? 0} of ${file.served}`;
    }
    for (const stage of ["A", "B"] as const)
      for (const { key, deadline_ms } of windows.rows({ stage, partition }).values())
        if (deadline_ms !== null && deadline_ms <= time.now + horizon)
          return `${stage}.${partition} has a timer ${key} at ${deadline_ms - startMs}`;
  }
  const open = incidents.deliveries.rows().find(({ delivery_state }) => delivery_state !== "idle");
  return open === undefined ? null : `a delivery of ${open.incident_id} is ${open.delivery_state}`;
}

function stuck(cluster: Cluster, outside: Outside, horizon: number): string {
  return `no progress: ${busyBecause(cluster, horizon) ?? "at rest"}; ${outside.waiting} things wait outside`;
}
