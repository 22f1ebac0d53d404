import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadShape } from "./load/requests.ts";
import { sendLoad } from "./load/send-load.ts";
import { cpuSeconds, residentKb } from "./processes.ts";
import type { Target } from "./targets/target.ts";

export interface Scenario {
  readonly name: string;
  readonly shape: LoadShape;
  readonly connections: number;
  /** Every alert is new to the target, once; else all keys are open before the measurement and are repeated. */
  readonly isFirstTime?: boolean;
}

/** One line of the table. */
export interface Row {
  readonly scenario: string;
  readonly target: string;
  readonly alerts: number;
  /** From the first byte sent until everything sent has been worked off. */
  readonly alerts_per_s: number;
  readonly cpu_s_per_1000: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly drain_s: number;
  readonly rss_mb: number;
  readonly refused: number;
}

const groups = 200;

export const scenarios: readonly Scenario[] = [
  { name: "single, 64 connections, 500 keys", shape: { batch: 1, keys: 500, groups }, connections: 64 },
  { name: "single, 128 connections, 500 keys", shape: { batch: 1, keys: 500, groups }, connections: 128 },
  { name: "single, 64 connections, 100k keys", shape: { batch: 1, keys: 100_000, groups }, connections: 64 },
  { name: "single, 128 connections, 100k keys", shape: { batch: 1, keys: 100_000, groups }, connections: 128 },
  { name: "batch of 50, 64 connections, 500 keys", shape: { batch: 50, keys: 500, groups }, connections: 64 },
  { name: "batch of 50, 128 connections, 500 keys", shape: { batch: 50, keys: 500, groups }, connections: 128 },
  { name: "batch of 50, 64 connections, 100k keys", shape: { batch: 50, keys: 100_000, groups }, connections: 64 },
  { name: "batch of 50, 128 connections, 100k keys", shape: { batch: 50, keys: 100_000, groups }, connections: 128 },
  {
    name: "batch of 50, 64 connections, 100k alerts for the first time",
    shape: { batch: 50, keys: 100_000, groups },
    connections: 64,
    isFirstTime: true,
  },
];

/** A folder for one measurement, removed afterwards. */
async function withFolder<Result>(work: (dataDir: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "winnow-bench-"));
  try {
    const dataDir = join(folder, "data");
    mkdirSync(dataDir);
    return await work(dataDir);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Warm-up, then the load, then the drain, which counts. */
export async function measure(target: Target, scenario: Scenario, durationMs: number): Promise<Row> {
  return withFolder(async (dataDir) => {
    const running = await target.start(dataDir);
    const order = { ...scenario, endpoint: running.endpoint };
    const isFirst = scenario.isFirstTime === true;
    const { shape } = scenario;
    await sendLoad({ ...order, shape: { ...shape, keys: 500 }, durationMs: durationMs / 3, rounds: 1 });
    if (!isFirst) await sendLoad({ ...order, shape: { ...shape, batch: 50 }, durationMs: 0, rounds: 1 });
    const before = await running.drained();
    const cpu = cpuSeconds(running.pid);
    const started = performance.now();
    const report = await sendLoad({ ...order, durationMs: isFirst ? 0 : durationMs, rounds: isFirst ? 1 : 0 });
    const loaded = performance.now();
    const after = await running.drained();
    const elapsed = (after === null ? report.elapsed_ms : performance.now() - started) / 1_000;
    // Where the target counts, its own count is taken: what it has and has worked off, not what was sent.
    const alerts = after === null || before === null ? report.ok * scenario.shape.batch : after - before;
    const row: Row = {
      scenario: scenario.name,
      target: target.name,
      alerts,
      alerts_per_s: Math.round(alerts / elapsed),
      cpu_s_per_1000: Number((((cpuSeconds(running.pid) - cpu) / alerts) * 1_000).toFixed(4)),
      p50_ms: Number(report.p50_ms.toFixed(2)),
      p99_ms: Number(report.p99_ms.toFixed(2)),
      drain_s: Number((after === null ? 0 : (performance.now() - loaded) / 1_000).toFixed(2)),
      rss_mb: Math.round(residentKb(running.pid) / 1_024),
      refused: report.refused,
    };
    await running.stop();
    return row;
  });
}

export interface Footprint {
  readonly open_alerts: number;
  readonly kb_per_open_alert: number;
  readonly ready_after_crash_ms: number;
  readonly caught_up_after_crash_ms: number;
}

/** Memory per open alert, and how long a start after a crash with 100k open alerts takes. */
export async function measureFootprint(target: Target): Promise<Footprint> {
  return withFolder(async (dataDir) => {
    const openAlerts = 100_000;
    const first = await target.start(dataDir);
    const shape = { batch: 50, keys: openAlerts, groups };
    await sendLoad({
      shape: { ...shape, keys: 500 },
      endpoint: first.endpoint,
      connections: 16,
      durationMs: 2_000,
      rounds: 1,
    });
    await first.drained();
    const empty = residentKb(first.pid);
    await sendLoad({ shape, endpoint: first.endpoint, connections: 16, durationMs: 0, rounds: 1 });
    await first.drained();
    const full = residentKb(first.pid);
    await first.kill();
    const started = performance.now();
    const second = await target.start(dataDir);
    const ready = performance.now() - started;
    await second.drained();
    const caughtUp = performance.now() - started;
    await second.stop();
    return {
      open_alerts: openAlerts,
      kb_per_open_alert: Number(((full - empty) / openAlerts).toFixed(2)),
      ready_after_crash_ms: Math.round(ready),
      caught_up_after_crash_ms: Math.round(caughtUp),
    };
  });
}
