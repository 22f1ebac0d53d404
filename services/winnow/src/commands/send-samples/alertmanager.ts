import { inbound, json, type SampleInput, type SampleTool } from "./sample.ts";

const externalUrl = "http://alertmanager.example:9093";
const prometheusUrl = "http://prometheus.example:9090";
/** How Alertmanager writes "no end". */
const noEnd = "0001-01-01T00:00:00Z";
/** Prometheus says four times its evaluation interval ahead until when an alert stands. */
const standsMs = 4 * 60_000;

/** What `webhook_configs` posts: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
export const alertmanager: SampleTool = {
  name: "alertmanager",
  title: "Alertmanager's webhook",
  source: "alertmanager",
  path: inbound,
  perRequest: 50,
  request: (alerts) => {
    const status = alerts.every(({ resolve }) => resolve) ? "resolved" : "firing";
    const first = alerts[0];
    const groupLabels = { alertname: nameOf(first), service: first?.service ?? "" };
    return json({
      version: "4",
      groupKey: `{}:{alertname="${groupLabels.alertname}", service="${groupLabels.service}"}`,
      truncatedAlerts: 0,
      status,
      receiver: "winnow",
      groupLabels,
      commonLabels: groupLabels,
      commonAnnotations: {},
      externalURL: externalUrl,
      alerts: alerts.map((alert) => ({
        status: alert.resolve ? "resolved" : "firing",
        labels: labelsOf(alert),
        annotations: annotationsOf(alert),
        startsAt: new Date(alert.startedMs).toISOString(),
        endsAt: alert.resolve ? new Date(alert.nowMs).toISOString() : noEnd,
        generatorURL: graphOf(alert),
      })),
    });
  },
};

/** What Prometheus itself and amtool post to Alertmanager's API v2. */
export const prometheus: SampleTool = {
  name: "prometheus",
  title: "Prometheus or amtool, posting to Alertmanager's API",
  source: "alertmanager",
  path: (integration) => `compat/alertmanager/${integration}/api/v2/alerts`,
  perRequest: 64,
  request: (alerts) =>
    json(
      alerts.map((alert) => ({
        labels: labelsOf(alert),
        annotations: annotationsOf(alert),
        startsAt: new Date(alert.startedMs).toISOString(),
        endsAt: new Date(alert.nowMs + (alert.resolve ? 0 : standsMs)).toISOString(),
        generatorURL: graphOf(alert),
      })),
    ),
};

function labelsOf(alert: SampleInput): Record<string, string> {
  const { service, host, environment, severity, labels } = alert;
  return { alertname: nameOf(alert), service, instance: `${host}:9100`, environment, severity, ...labels };
}

/** `High latency` becomes `HighLatency`, as alert names are written there. */
function nameOf(alert: SampleInput | undefined): string {
  const words = (alert?.title ?? "").match(/[A-Za-z0-9]+/g) ?? ["Alert"];
  return words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
}

function annotationsOf({ title, text, host }: SampleInput): Record<string, string> {
  return { summary: `${title} on ${host}`, description: text, runbook_url: "https://runbooks.example/sample" };
}

function graphOf(alert: SampleInput): string {
  return `${prometheusUrl}/graph?g0.expr=${encodeURIComponent(`ALERTS{alertname="${nameOf(alert)}"}`)}&g0.tab=1`;
}
