import { inbound, json, only, type SampleInput, type SampleTool } from "./sample.ts";

const priorities = { critical: "P1", error: "P2", warning: "P3", info: "P4" } as const;
const types = { critical: "error", error: "error", warning: "warning", info: "info" } as const;

/** What Datadog's webhook posts with Winnow's payload template, one field per variable. */
export const datadog: SampleTool = {
  name: "datadog",
  title: "Datadog's webhook",
  source: "datadog",
  path: inbound,
  perRequest: 1,
  request: (alerts) => json(fieldsOf(only(alerts))),
};

function fieldsOf(alert: SampleInput): Record<string, string> {
  const { resolve, host, service, environment, severity, title, text, labels } = alert;
  const transition = resolve ? "Recovered" : "Triggered";
  const monitor = monitorOf(title);
  const tags = { service, env: environment, host, ...labels };
  const tagText = Object.entries(tags).map(([name, value]) => `${name}:${value}`);
  const moment = resolve ? alert.nowMs : alert.startedMs;
  return {
    id: String(moment),
    alert_id: monitor,
    alert_scope: `host:${host}`,
    alert_cycle_key: `${monitor}-${host}-${alert.startedMs}`,
    alert_transition: transition,
    alert_type: resolve ? "success" : types[severity],
    alert_priority: priorities[severity],
    alert_title: `${title} on ${host}`,
    alert_status: text,
    aggreg_key: `${monitor}-${host}`,
    event_title: `[${priorities[severity]}] [${transition} on {host:${host}}] ${title}`,
    event_msg: text,
    event_type: "metric_alert_monitor",
    hostname: host,
    tags: tagText.join(","),
    link: `https://app.datadoghq.example/monitors/${monitor}`,
    date: String(moment),
    org_id: "1000",
  };
}

function monitorOf(title: string): string {
  let number = 11;
  for (const sign of title) number = (number * 31 + (sign.codePointAt(0) ?? 0)) % 9_000_000;
  return String(1_000_000 + number);
}
