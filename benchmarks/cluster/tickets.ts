/** From the moment an alert is posted until its ticket is committed at a fake ServiceNow. */
import { setTimeout as pause } from "node:timers/promises";
import { startFakeVendor } from "@winnow/test/acceptance/support/product.ts";
import type { ClusterServers } from "@winnow/test/cluster/names.ts";
import { until } from "../processes.ts";
import { withCluster } from "./rows.ts";

export interface TicketTimes {
  readonly tickets: number;
  readonly per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

const tickets = 300;
const warmUp = 30;
const perS = 10;

function configuration(url: string): string {
  return `
version: 1
log_level: warn
sources:
  alertmanager: { type: alertmanager }
rules:
  - id: per-service
    group_by: [service]
    hold: 0s
    incident: { title: "{{service}}" }
routes:
  - to: [snow]
destinations:
  snow:
    type: servicenow
    mode: live
    url: ${url}
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
    max_creates_per_minute: 100000
`;
}

/** One alert of a service of its own after the other, at an even pace. */
export async function measureTickets(servers: ClusterServers, folder: string): Promise<TicketTimes> {
  const snow = await startFakeVendor("servicenow", folder);
  try {
    return await withCluster(servers, configuration(snow.url), async (cluster) => {
      const [receiver] = cluster.receivers;
      const sentAt = new Map<string, number>();
      const started = performance.now();
      for (let at = 0; at < warmUp + tickets; at += 1) {
        const early = started + (at * 1_000) / perS - performance.now();
        if (early > 0) await pause(early);
        const service = `service-${at}`;
        sentAt.set(service, Date.now());
        const reply = await fetch(`${receiver?.url}/v1/in/alertmanager`, {
          method: "POST",
          headers: { authorization: `Bearer ${cluster.token}`, "content-type": "application/json" },
          body: JSON.stringify([{ labels: { alertname: "Slow", service, severity: "critical" } }]),
        });
        if (!reply.ok) throw new Error(`an alert was answered ${reply.status}`);
        await reply.arrayBuffer();
      }
      const creates = () => snow.ledger().filter(({ op }) => op === "create");
      await until("every ticket", 120_000, async () => creates().length >= warmUp + tickets);
      const times = creates()
        .map((row) => ({ row, sent: sentAt.get(String(row["short_description"])) ?? Number.NaN }))
        .filter(({ row }) => Number(String(row["short_description"]).split("-")[1]) >= warmUp)
        .map(({ row, sent }) => Date.parse(String(row["at"])) - sent)
        .toSorted((a, b) => a - b);
      const quantile = (share: number): number =>
        times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
      return { tickets: times.length, per_s: perS, p50_ms: quantile(0.5), p99_ms: quantile(0.99) };
    });
  } finally {
    await snow.tool.stop();
  }
}
