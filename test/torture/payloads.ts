/** Bodies as the tools send them, by the vendors' documentation. */
import type { StepItem, ToolName } from "./history.ts";
import type { Story } from "./stories.ts";

export interface Body {
  readonly contentType: string;
  readonly text: string;
}

export interface Telling {
  readonly story: Story;
  readonly step: StepItem;
}

/** `send` stands in every item, so that the log can be searched for it. */
export function bodyOf(tool: ToolName, tellings: readonly [Telling, ...Telling[]], send: string): Body {
  const [first] = tellings;
  switch (tool) {
    case "alertmanager":
      return json(webhook(tellings.map((telling) => webhookMember(telling, send))));
    case "datadog":
      return json(datadog(first, send));
    case "nagios":
      return { contentType: "application/x-www-form-urlencoded", text: nagios(first, send) };
    case "zabbix":
      return json(zabbix(first, send));
  }
}

/** What no source can read; each kind is one dead letter. */
export function junkOf(kind: number, send: string): { readonly tool: ToolName; readonly body: Body } {
  const mark = `send=${send}`;
  switch (kind % 4) {
    case 0:
      return { tool: "alertmanager", body: { contentType: "application/json", text: `{"alerts":[{"x":"${mark}"` } };
    case 1:
      return { tool: "zabbix", body: json({ event_name: "no id", message: mark }) };
    case 2:
      return { tool: "alertmanager", body: json(webhook([{ status: "firing", annotations: { mark } }])) };
    default:
      return { tool: "datadog", body: { contentType: "text/plain", text: `\u0001\u0002 not at all ${mark}` } };
  }
}

function json(value: unknown): Body {
  return { contentType: "application/json", text: JSON.stringify(value) };
}

function webhook(alerts: readonly unknown[]): object {
  return {
    version: "4",
    groupKey: "{}:{}",
    status: "firing",
    receiver: "winnow",
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "http://alertmanager.example",
    truncatedAlerts: 0,
    alerts,
  };
}

function webhookMember({ story, step }: Telling, send: string): object {
  const { tid, app, tier, host, severity } = story;
  return {
    status: step.kind === "fire" ? "firing" : "resolved",
    labels: { alertname: "Torture", tid, app, tier, instance: `${host}:9100`, severity },
    annotations: { summary: `${tid} of ${app}`, description: `send=${send};` },
    startsAt: new Date(firedAt(story, step)).toISOString(),
    endsAt: step.kind === "fire" ? "0001-01-01T00:00:00Z" : new Date(step.at).toISOString(),
    generatorURL: "http://prometheus.example/graph",
  };
}

function datadog({ story, step }: Telling, send: string): object {
  const { tid, app, tier, host, severity } = story;
  return {
    alert_id: tid.slice(1),
    alert_scope: `tid:${tid}`,
    alert_cycle_key: `${tid}/${step.episode}`,
    alert_transition: step.kind === "fire" ? "Triggered" : "Recovered",
    alert_type: step.kind === "fire" ? "error" : "success",
    alert_priority: severity === "critical" ? "P1" : "P2",
    alert_title: `${tid} of ${app}`,
    id: send,
    event_msg: `%%%\nsend=${send};\n%%%`,
    event_type: "query_alert_monitor",
    hostname: host,
    tags: `app:${app},tier:${tier},tid:${tid}`,
    date: step.at,
    org_id: "42",
  };
}

function nagios({ story, step }: Telling, send: string): string {
  const { tid, app, tier, host, severity } = story;
  const fires = step.kind === "fire";
  const bad = severity === "warning" ? "WARNING" : "CRITICAL";
  return new URLSearchParams({
    notification_type: fires ? "PROBLEM" : "RECOVERY",
    host,
    service: `check ${tid}`,
    state: fires ? bad : "OK",
    last_state: fires ? "OK" : bad,
    state_type: "HARD",
    output: `${bad} - send=${send};`,
    problem_id: fires ? `${tid.slice(1)}${step.episode}` : "0",
    last_problem_id: fires ? "0" : `${tid.slice(1)}${step.episode}`,
    time: String(step.at / 1_000),
    label_app: app,
    label_tier: tier,
    label_tid: tid,
  }).toString();
}

const zabbixSeverity: Readonly<Record<string, string>> = { critical: "5", error: "4", warning: "2" };

function zabbix({ story, step }: Telling, send: string): object {
  const { tid, app, tier, host, severity } = story;
  const fires = step.kind === "fire";
  const tags = [
    { tag: "app", value: app },
    { tag: "tier", value: tier },
    { tag: "tid", value: tid },
  ];
  return {
    event_source: "0",
    event_id: `${tid.slice(1)}${step.episode}`,
    event_value: fires ? "1" : "0",
    event_update_status: "0",
    event_name: `${tid} of ${app}`,
    event_nseverity: zabbixSeverity[severity],
    event_severity: severity,
    event_opdata: `send=${send};`,
    event_tags_json: JSON.stringify(tags),
    event_timestamp: String(firedAt(story, step) / 1_000),
    ...(fires ? {} : { event_recovery_timestamp: String(step.at / 1_000) }),
    trigger_id: `9${tid.slice(1)}`,
    host_host: host,
    sent_at: Math.floor(Date.now() / 1_000),
  };
}

/** When the step's episode began, also where its fire is never sent. */
function firedAt(story: Story, step: StepItem): number {
  const fire = story.steps.find((other) => other.kind === "fire" && other.episode === step.episode);
  return fire?.at ?? step.at;
}
