import type { KillNineReport } from "./kill-nine.ts";

const problemsShown = 40;

/** The run in figures, and what does not fit. */
export function describeReport(report: KillNineReport): string {
  const { verdict, replayed, readyMs } = report;
  const { problems, accounting } = verdict;
  const lines = [
    `kills                ${report.kills}, of them ${report.killsWhileStarting} while it started`,
    `ready again          median ${Math.round(readyMs[readyMs.length >> 1] ?? 0)} ms, slowest ${Math.round(readyMs.at(-1) ?? 0)} ms`,
    `requests             ${counts(report.attempts)}`,
    `events               ${report.acknowledgedEvents} acknowledged; accepted ${accounting.accepted}, in flight ${accounting.in_flight}`,
    `outcomes             ${counts(accounting.outcomes)}`,
    `alerts               ${verdict.alerts}; incidents ${verdict.incidents}; tickets ${verdict.tickets}`,
    `vendor faults        ${counts(report.vendorFaults)}`,
    `replay               ${replayed.isEqual ? "equal" : "NOT EQUAL"}, ${replayed.records} records`,
    `problems             ${problems.length}`,
    ...problems.slice(0, problemsShown).map((problem) => `  ${problem}`),
  ];
  return [...lines, ...(replayed.isEqual ? [] : [replayed.text])].join("\n");
}

function counts(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
