import type { BrokerOutageReport } from "./broker-outage.ts";
import type { ClusterChaosReport } from "./run.ts";
import type { WindowLossReport } from "./window-loss.ts";

const problemsShown = 40;

/** The run in figures, and what does not fit. */
export function describeChaos(report: ClusterChaosReport): string {
  const { verdict, troubles, drainMs } = report;
  const { problems, accounting } = verdict;
  return [
    `faults               ${counts(report.faults)}`,
    `vendor faults        ${counts(report.vendorFaults)}`,
    `requests             ${counts(report.attempts)}`,
    `events               ${report.acknowledgedEvents} acknowledged; accepted ${accounting.accepted}, in flight ${accounting.in_flight}`,
    `outcomes             ${counts(accounting.outcomes)}`,
    `alerts               ${verdict.alerts}; incidents ${verdict.incidents}; tickets ${verdict.tickets}`,
    `drained              ${drainMs === null ? "NOT IN TIME" : `${drainMs} ms after the last fault`}`,
    `problems             ${problems.length}`,
    ...problems.slice(0, problemsShown).map((problem) => `  ${problem}`),
    `troubles             ${troubles.length}`,
    ...troubles.map((trouble) => `  ${trouble}`),
  ].join("\n");
}

export function describeOutage(report: BrokerOutageReport): string {
  const { verdict, troubles, ackMs, refused } = report;
  const { problems, accounting } = verdict;
  const times = ({ p50, p99 }: { p50: number; p99: number }): string => `p50 ${p50} ms, p99 ${p99} ms`;
  return [
    `requests             ${report.attempts}, not acknowledged ${refused.length}`,
    `kept                 ${report.keptAlerts} alerts while Kafka was down`,
    `acknowledged in      ${times(ackMs.before)} before, ${times(ackMs.meanwhile)} meanwhile`,
    `outcomes             ${counts(accounting.outcomes)}`,
    `alerts               ${verdict.alerts}; incidents ${verdict.incidents}; tickets ${verdict.tickets}`,
    `drained              ${report.drainMs} ms after Kafka was back`,
    `problems             ${problems.length}`,
    ...problems.slice(0, problemsShown).map((problem) => `  ${problem}`),
    `troubles             ${troubles.length}`,
    ...troubles.map((trouble) => `  ${trouble}`),
  ].join("\n");
}

export function describeLoss(report: WindowLossReport): string {
  const { control, found, recoveredMs, differences, troubles } = report;
  return [
    `control              ${control.alerts} alerts, ${control.incidents} incidents, ${control.sha256}`,
    `cluster              ${found.alerts} alerts, ${found.incidents} incidents, ${found.sha256}`,
    `recovered            ${recoveredMs === null ? "NOT IN TIME" : `${recoveredMs} ms after the loss`}`,
    `refused              ${report.refused}`,
    `differences          ${differences.length}`,
    ...differences.map((line) => `  ${line}`),
    `troubles             ${troubles.length}`,
    ...troubles.map((trouble) => `  ${trouble}`),
  ].join("\n");
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
