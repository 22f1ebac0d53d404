import { alertmanager } from "./send-samples/alertmanager.ts";
import { datadog } from "./send-samples/datadog.ts";
import { nagios } from "./send-samples/nagios.ts";
import type { SampleInput, SampleRequest, SampleTool } from "./send-samples/sample.ts";
import { zabbix } from "./send-samples/zabbix.ts";

/** One request of the demo, so long after the one before. */
export interface StormStep {
  readonly waitMs: number;
  readonly path: string;
  readonly request: SampleRequest;
}

interface Condition {
  readonly tool: SampleTool;
  readonly hosts: readonly string[];
  readonly about: Pick<SampleInput, "service" | "severity" | "title" | "text">;
}

/** A database loses its disk, what stands on it slows down and says so in every tool; on the side a small matter. */
const conditions: readonly Condition[] = [
  {
    tool: nagios,
    hosts: ["db-01"],
    about: { service: "orders-db", severity: "critical", title: "Disk /var", text: "2% free" },
  },
  {
    tool: zabbix,
    hosts: ["db-01", "db-02"],
    about: { service: "orders-db", severity: "error", title: "Replication lag", text: "240 s behind" },
  },
  {
    tool: alertmanager,
    hosts: Array.from({ length: 24 }, (_, index) => `web-${String(index + 1).padStart(2, "0")}`),
    about: { service: "checkout", severity: "critical", title: "High latency", text: "p99 above 2 s" },
  },
  {
    tool: datadog,
    hosts: ["web-01", "web-02", "web-03"],
    about: { service: "checkout", severity: "warning", title: "Error rate", text: "5xx above 3%" },
  },
  {
    tool: alertmanager,
    hosts: ["mail-01"],
    about: { service: "mail", severity: "warning", title: "Queue grows", text: "1200 messages wait" },
  },
];

/** How often a tool says again what still stands. */
const repeats = 3;
const stepMs = 400;
/** Between the trouble and its end, and from there to the next round. */
const calmMs = 60_000;

/** One round: everything begins, is repeated, and ends again. Times are made as each step is asked for. */
export function* storm(now: () => number): Generator<StormStep> {
  const startedMs = now();
  for (let round = 0; round < repeats; round += 1) yield* steps({ startedMs, resolve: false, now });
  let isFirst = true;
  for (const step of steps({ startedMs, resolve: true, now })) {
    yield isFirst ? { ...step, waitMs: calmMs } : step;
    isFirst = false;
  }
  yield* quiet(now);
}

function* steps(when: {
  readonly startedMs: number;
  readonly resolve: boolean;
  readonly now: () => number;
}): Generator<StormStep> {
  const { startedMs, resolve, now } = when;
  for (const { tool, hosts, about } of conditions) {
    for (let from = 0; from < hosts.length; from += tool.perRequest) {
      const alerts = hosts
        .slice(from, from + tool.perRequest)
        .map((host) => ({ ...about, host, environment: "prod", labels: {}, startedMs, resolve, nowMs: now() }));
      yield { waitMs: stepMs, path: tool.path(tool.source), request: tool.request(alerts) };
    }
  }
}

/** A single alert long after the storm: the pause before the next round. */
function* quiet(now: () => number): Generator<StormStep> {
  const nowMs = now();
  const alert: SampleInput = {
    startedMs: nowMs,
    nowMs,
    resolve: false,
    service: "mail",
    host: "mail-02",
    environment: "test",
    severity: "info",
    title: "Certificate",
    text: "expires in 20 days",
    labels: {},
  };
  yield { waitMs: calmMs, path: nagios.path(nagios.source), request: nagios.request([alert]) };
}
