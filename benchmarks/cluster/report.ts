import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bringServers } from "@winnow/devservers";
import { clusterServers } from "@winnow/test/cluster/names.ts";
import { type ClusterRow, clusterScenarios, measureCluster } from "./rows.ts";
import { measureTickets, type TicketTimes } from "./tickets.ts";

export interface ClusterReport {
  readonly servers: Readonly<Record<string, string | null>>;
  readonly rows: readonly ClusterRow[];
  /** null where `only` left it out. */
  readonly tickets: TicketTimes | null;
}

export interface ClusterBenchOptions {
  /** Part of the names of the rows that are wanted. */
  readonly only: string;
  readonly durationMs: number;
  readonly say: (line: string) => void;
}

/** Brings the servers, given ones first. Rejects where one cannot be had. */
export async function runCluster({ only, durationMs, say }: ClusterBenchOptions): Promise<ClusterReport> {
  const brought = await bringServers({ kinds: ["kafka", "redis", "postgres"], log: say });
  const folder = mkdtempSync(join(tmpdir(), "winnow-bench-"));
  try {
    const missing = brought.unavailable.map(({ kind, reason }) => `no ${kind}: ${reason}`);
    if (missing.length > 0) throw new Error(missing.join("; "));
    const servers = clusterServers(brought);
    const rows: ClusterRow[] = [];
    for (const scenario of clusterScenarios.filter(({ name }) => name.includes(only))) {
      say(`a cluster: ${scenario.name}`);
      rows.push(await measureCluster(servers, scenario, durationMs));
    }
    say("from post to ticket");
    const tickets = only === "" || only === "ticket" ? await measureTickets(servers, folder) : null;
    const { kafka, redis, postgres } = brought;
    const versions = { kafka: kafka?.version, redis: redis?.version, postgres: postgres?.version };
    return {
      servers: Object.fromEntries(Object.entries(versions).map(([kind, version]) => [kind, version ?? null])),
      rows,
      tickets,
    };
  } finally {
    await brought.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function clusterMarkdown({ servers, rows, tickets }: ClusterReport): string {
  const lines = [
    Object.entries(servers)
      .map(([kind, version]) => `${kind} ${version ?? "given"}`)
      .join(", "),
    "",
    "| Load | alerts/s | p50 ms | p99 ms | drain s | program | CPU-s per 1,000 | alerts/s per core | RSS MB |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows.flatMap((row) =>
      Object.entries(row.stages).map(
        ([program, { cpu_s_per_1000, alerts_per_core_s, rss_mb }]) =>
          `| ${row.scenario} | ${row.alerts_per_s} | ${row.p50_ms} | ${row.p99_ms} | ${row.drain_s} | ${program} | ${cpu_s_per_1000} | ${alerts_per_core_s} | ${rss_mb} |`,
      ),
    ),
  ];
  if (tickets !== null) {
    const { tickets: count, per_s, p50_ms, p99_ms } = tickets;
    lines.push("", `post to ticket, ${count} tickets at ${per_s} a second: p50 ${p50_ms} ms, p99 ${p99_ms} ms`);
  }
  return `${lines.join("\n")}\n`;
}
