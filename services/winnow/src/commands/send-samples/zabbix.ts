import { inbound, json, only, type SampleInput, type SampleTool, seconds } from "./sample.ts";

const severities = {
  critical: { number: "5", word: "Disaster" },
  error: { number: "4", word: "High" },
  warning: { number: "3", word: "Average" },
  info: { number: "1", word: "Information" },
} as const;

/** What the script of Winnow's media type posts, one field per macro. Everything is text, as macros are. */
export const zabbix: SampleTool = {
  name: "zabbix",
  title: "Zabbix's media type",
  source: "zabbix",
  path: inbound,
  perRequest: 1,
  request: (alerts) => json(fieldsOf(only(alerts))),
};

function fieldsOf(alert: SampleInput): Record<string, string | number> {
  const { resolve, host, service, environment, severity, title, text, labels } = alert;
  const { number, word } = severities[severity];
  const started = stamp(alert.startedMs);
  const tags = Object.entries({ service, environment, ...labels }).map(([tag, value]) => ({ tag, value }));
  return {
    event_source: "0",
    event_object: "0",
    event_id: seconds(alert.startedMs),
    event_value: resolve ? "0" : "1",
    event_update_status: "0",
    event_name: `${title} on ${host}`,
    event_nseverity: number,
    event_severity: word,
    event_ack_status: "No",
    event_opdata: text,
    event_tags_json: JSON.stringify(tags),
    ...moment("event", started, alert.startedMs),
    ...(resolve ? moment("event_recovery", stamp(alert.nowMs), alert.nowMs) : {}),
    trigger_id: triggerOf(alert),
    trigger_description: text,
    host_host: host,
    host_name: host,
    host_ip: "192.0.2.10",
    now_date: stamp(alert.nowMs).date,
    now_time: stamp(alert.nowMs).time,
    sent_at: Math.floor(alert.nowMs / 1000),
  };
}

function moment(name: string, { date, time }: ReturnType<typeof stamp>, ms: number): Record<string, string> {
  return { [`${name}_date`]: date, [`${name}_time`]: time, [`${name}_timestamp`]: seconds(ms) };
}

/** Zabbix writes `2026.11.24` and `22:54:36`; the sample's server keeps UTC. */
function stamp(ms: number): { readonly date: string; readonly time: string } {
  const text = new Date(ms).toISOString();
  return { date: text.slice(0, 10).replaceAll("-", "."), time: text.slice(11, 19) };
}

/** A trigger stands for one host and one condition: a number that follows from the two. */
function triggerOf({ host, title }: SampleInput): string {
  let number = 7;
  for (const sign of `${host}\n${title}`) number = (number * 31 + (sign.codePointAt(0) ?? 0)) % 900_000;
  return String(100_000 + number);
}
