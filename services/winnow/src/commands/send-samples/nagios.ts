import { inbound, only, type SampleInput, type SampleTool, seconds } from "./sample.ts";

const states = { critical: "CRITICAL", error: "CRITICAL", warning: "WARNING", info: "UNKNOWN" } as const;

/** What a notification command posts, one form field per macro. */
export const nagios: SampleTool = {
  name: "nagios",
  title: "Nagios's notification command, as a form",
  source: "nagios",
  path: inbound,
  perRequest: 1,
  request: (alerts) => {
    const form = new URLSearchParams(fieldsOf(only(alerts)));
    return { contentType: "application/x-www-form-urlencoded", body: form.toString() };
  },
};

function fieldsOf(alert: SampleInput): Record<string, string> {
  const { resolve, host, service, environment, severity, title, text, labels } = alert;
  const state = states[severity];
  const problem = seconds(alert.startedMs);
  const output = resolve ? `OK - ${title} is over` : `${state} - ${title}: ${text}`;
  return {
    notification_type: resolve ? "RECOVERY" : "PROBLEM",
    host,
    service,
    state: resolve ? "OK" : state,
    state_type: "HARD",
    last_state: resolve ? state : "OK",
    output,
    problem_id: resolve ? "0" : problem,
    last_problem_id: resolve ? problem : "0",
    last_state_change: seconds(resolve ? alert.nowMs : alert.startedMs),
    time: seconds(resolve ? alert.nowMs : alert.startedMs),
    host_address: "192.0.2.10",
    environment,
    ...Object.fromEntries(Object.entries(labels).map(([name, value]) => [`label_${name}`, value])),
  };
}
