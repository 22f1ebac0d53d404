import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The measured program on one core, the load on another, where there are two. */
const cores = { target: "0", load: "1" } as const;

/** Pins a process, with all its threads, to its core. Says false where that cannot be done. */
export function pin(pid: number, role: keyof typeof cores): boolean {
  if (availableParallelism() < 2) return false;
  return spawnSync("taskset", ["-a", "-p", "-c", cores[role], String(pid)], { stdio: "ignore" }).status === 0;
}

/** CPU seconds, user and system, of a process with all its threads. Linux only. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory in KB. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0");
}

/** Asks until it says yes; rejects with `what` after the limit. */
export async function until(what: string, limitMs: number, ask: () => Promise<boolean>): Promise<void> {
  const { setTimeout: after } = await import("node:timers/promises");
  for (const end = performance.now() + limitMs; performance.now() < end; await after(20)) {
    const yes = await ask().catch(() => false);
    if (yes) return;
  }
  throw new Error(`${what}: not within ${limitMs} ms`);
}
