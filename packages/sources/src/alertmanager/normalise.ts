import type { AlertDraft, AlertLink, KeyPart } from "@winnow/contracts";
import {
  type Fields,
  firstLabel,
  firstText,
  httpLink,
  isFields,
  ownField,
  ownText,
  readableKey,
  textOf,
} from "../reading.ts";
import { Report, wholeBodyRejected } from "../report.ts";
import { severityFields, severityTable } from "../severity.ts";
import type { Normalised, SourceRequest, SourceSettings } from "../source.ts";
import { isoText, readRfc3339 } from "../times.ts";
import { bodySchema } from "./schema.ts";

const severities = severityTable([
  { severity: "critical", words: ["disaster", "emergency", "fatal"], number: 24 },
  { severity: "critical", words: ["critical", "crit", "page", "p1", "sev0", "sev1"] },
  { severity: "error", words: ["error", "err", "high", "major", "p2", "sev2"] },
  { severity: "warning", words: ["warning", "warn", "medium", "average", "p3", "sev3"] },
  { severity: "warning", words: ["minor"], number: 14 },
  { severity: "info", words: ["info", "informational", "information", "notice", "none", "low", "p4", "p5", "sev4"] },
  { severity: "info", words: ["debug"], number: 5 },
  { severity: "unknown", words: ["unknown"] },
]);

const names = {
  severity: ["severity", "level", "priority"],
  service: ["service", "service_name", "app", "application", "app_kubernetes_io_name", "job"],
  environment: ["environment", "env", "deployment_environment", "deployment_environment_name", "stage"],
  host: ["host", "hostname", "nodename", "node"],
  component: ["component", "app_kubernetes_io_component", "container"],
  title: ["summary", "title"],
  description: ["description", "message"],
  runbook: ["runbook_url", "runbookURL", "runbook"],
  dashboard: ["dashboard_url", "dashboardURL", "dashboard"],
} as const;

/** Labels that tell apart the members of a redundant pair of Prometheus servers, not two alerts. */
const replicaLabels = ["prometheus_replica", "__replica__"];
/** Alerts that always fire, so that their absence is noticed. */
const heartbeatNames = new Set(["watchdog", "deadmansswitch", "deadmanswitch"]);
/** An end further away means "no end". */
const farFutureMs = 366 * 24 * 3_600_000;

/** What is the same for all alerts of a body. */
interface BodyContext {
  readonly report: Report;
  readonly receivedMs: number;
  readonly excluded: ReadonlySet<string>;
  readonly environment: string | undefined;
  readonly groupKey: string | undefined;
  readonly links: readonly AlertLink[];
  /** Members of a notification carry their own status; posted alerts are judged by `endsAt`. */
  readonly shape: "webhook" | "posted";
}

/** Maps both bodies that Alertmanager's world sends: the webhook's object and the array of API v2. */
export function normaliseAlertmanager(request: SourceRequest, settings: SourceSettings): Normalised {
  const body = request.body.kind === "json" ? request.body.value : undefined;
  const members: unknown = isFields(body) ? ownField(body, "alerts") : body;
  if (!Array.isArray(members)) return wholeBodyRejected(bodySchema, body ?? null);
  const report = new Report();
  const webhook = isFields(body) ? body : undefined;
  const context: BodyContext = {
    report,
    receivedMs: request.receivedMs,
    excluded: new Set([...replicaLabels, ...(settings.identityExclude ?? [])]),
    environment: settings.environment,
    groupKey: webhook === undefined ? undefined : textOf(ownField(webhook, "groupKey")),
    links: httpLink(textOf(webhook?.["externalURL"]), "alert", "Alertmanager"),
    shape: webhook === undefined ? "posted" : "webhook",
  };
  if (members.length === 0) report.reject("no_alerts", "", undefined);
  const prefix = webhook === undefined ? "" : "alerts";
  members.forEach((member: unknown, index) => {
    readMember(member, `${prefix}[${index}]`, context);
  });
  if (webhook !== undefined) noteTruncation(webhook, report);
  return report.result();
}

function noteTruncation(webhook: Fields, report: Report): void {
  const left = Number(textOf(ownField(webhook, "truncatedAlerts")) ?? 0);
  if (left > 0)
    report.warn("truncated_by_sender", "truncatedAlerts", `Alertmanager left ${left} alerts out: set max_alerts to 0`);
}

function readMember(member: unknown, path: string, context: BodyContext): void {
  const { report } = context;
  if (!isFields(member)) {
    report.reject("wrong_body", path, member);
    return;
  }
  const labels = readLabels(ownField(member, "labels"), path, report);
  if (Object.keys(labels).length === 0) report.reject("no_labels", `${path}.labels`, member);
  else report.draft(readAlert(member, labels, path, context));
}

function readLabels(value: unknown, path: string, report: Report): Record<string, string[]> {
  const labels: Record<string, string[]> = {};
  if (!isFields(value)) return labels;
  for (const name of Object.keys(value)) {
    const raw = value[name];
    if (raw === "" || raw === null) continue;
    const text = textOf(raw);
    if (text === undefined || name === "__proto__") report.warn("wrong_type", `${path}.labels.${name.slice(0, 100)}`);
    else labels[name] = [text];
  }
  return labels;
}

function readAlert(member: Fields, labels: Record<string, string[]>, path: string, context: BodyContext): AlertDraft {
  const annotations = readAnnotations(ownField(member, "annotations"), path, context.report);
  const times = readTimes(member, path, context);
  const identity = readIdentity(labels, path, context);
  const alertname = labels["alertname"]?.[0];
  const key = readableKey(alertname ?? "", alertname === undefined ? identity : withoutName(identity));
  const { severity, severity_number, severity_source } = readSeverity(labels, path, context.report);
  const draft: { -readonly [Field in keyof AlertDraft]: AlertDraft[Field] } = {
    kind: alertname !== undefined && heartbeatNames.has(alertname.toLowerCase()) ? "heartbeat" : "alert",
    action: times.status === "firing" ? "fire" : "resolve",
    status: times.status,
    severity,
    title: firstText(annotations, names.title) ?? alertname ?? key,
    identity,
    dedup_key: key,
    labels,
    annotations,
    links: readLinks(member, annotations, context),
    time_quality: times.occurred_ms === undefined ? "received" : "exact",
  };
  if (severity_number !== undefined) draft.severity_number = severity_number;
  if (severity_source !== undefined) draft.severity_source = severity_source;
  addTimes(draft, times);
  if (alertname !== undefined) {
    draft.class = alertname;
    draft.rule = { name: alertname };
  }
  addPlaces(draft, labels, annotations, context);
  return draft;
}

function addTimes(draft: { -readonly [Field in keyof AlertDraft]: AlertDraft[Field] }, times: MemberTimes): void {
  if (times.status === "resolved") draft.resolve_reason = "condition";
  if (times.occurred_ms !== undefined) draft.occurred_ms = times.occurred_ms;
  if (times.started_ms !== undefined) {
    draft.started_ms = times.started_ms;
    draft.episode_id = isoText(times.started_ms);
  }
  if (times.ended_ms !== undefined) draft.ended_ms = times.ended_ms;
  if (times.expires_ms !== undefined) draft.expires_ms = times.expires_ms;
}

function withoutName(identity: readonly KeyPart[]): KeyPart[] {
  return identity.filter((part) => part.k !== "alertname");
}

function addPlaces(
  draft: { -readonly [Field in keyof AlertDraft]: AlertDraft[Field] },
  labels: Record<string, string[]>,
  annotations: Readonly<Record<string, string>>,
  context: BodyContext,
): void {
  const description = firstText(annotations, names.description);
  const service = firstLabel(labels, names.service);
  const environment = firstLabel(labels, names.environment) ?? context.environment;
  const host = firstLabel(labels, names.host) ?? withoutPort(firstLabel(labels, ["instance"]));
  const component = firstLabel(labels, names.component);
  if (description !== undefined) draft.description = description;
  if (context.groupKey !== undefined) draft.group_key = context.groupKey;
  if (service !== undefined) draft.service = service;
  if (environment !== undefined) draft.environment = environment;
  if (host !== undefined) draft.host = host;
  if (component !== undefined) draft.component = component;
}

const hostAndPort = /^(\[[^\]]+\]|[^:]+):\d+$/;

/** `web-01:9100` is scraped at a port, but the host that other tools know is `web-01`. */
function withoutPort(instance: string | undefined): string | undefined {
  const host = instance === undefined ? undefined : hostAndPort.exec(instance)?.[1];
  return host === undefined ? instance : ownText(host);
}

function readAnnotations(value: unknown, path: string, report: Report): Record<string, string> {
  const annotations: Record<string, string> = {};
  if (!isFields(value)) return annotations;
  for (const name of Object.keys(value)) {
    const raw = value[name];
    if (raw === "" || raw === null) continue;
    const text = textOf(raw);
    if (text === undefined || name === "__proto__")
      report.warn("wrong_type", `${path}.annotations.${name.slice(0, 100)}`);
    else annotations[name] = text;
  }
  return annotations;
}

function readIdentity(labels: Record<string, string[]>, path: string, context: BodyContext): KeyPart[] {
  const sorted = Object.keys(labels).toSorted();
  const part = (name: string): KeyPart => ({ k: name, v: labels[name]?.[0] ?? "" });
  const kept: KeyPart[] = [];
  for (const name of sorted) if (!context.excluded.has(name)) kept.push(part(name));
  if (kept.length > 0) return kept;
  context.report.warn("identity_exclude_ignored", `${path}.labels`);
  return sorted.map(part);
}

function readSeverity(
  labels: Record<string, string[]>,
  path: string,
  report: Report,
): Pick<AlertDraft, "severity" | "severity_number" | "severity_source"> {
  const word = firstLabel(labels, names.severity);
  if (word === undefined) return { severity: "unknown" };
  const fields = severityFields(severities, word);
  if (fields !== undefined) return fields;
  report.warn("unknown_severity", `${path}.labels.severity`);
  return { severity: "unknown", severity_source: word };
}

interface MemberTimes {
  readonly status: "firing" | "resolved";
  readonly started_ms: number | undefined;
  readonly ended_ms: number | undefined;
  readonly occurred_ms: number | undefined;
  readonly expires_ms: number | undefined;
}

function readTimes(member: Fields, path: string, context: BodyContext): MemberTimes {
  const startsAt = readTime(member, "startsAt", path, context.report);
  const endsAt = readTime(member, "endsAt", path, context.report);
  const status = readStatus(member, endsAt, path, context);
  if (status === "resolved")
    return { status, started_ms: startsAt, ended_ms: endsAt, occurred_ms: endsAt, expires_ms: undefined };
  // A notification repeats only every repeat_interval, so there a coming end would make living alerts stale.
  const ahead = context.shape === "posted" && endsAt !== undefined && endsAt - context.receivedMs < farFutureMs;
  return {
    status,
    started_ms: startsAt,
    ended_ms: undefined,
    occurred_ms: startsAt,
    expires_ms: ahead ? endsAt : undefined,
  };
}

function readTime(member: Fields, name: string, path: string, report: Report): number | undefined {
  const time = readRfc3339(ownField(member, name));
  if (time === "bad") report.warn("bad_time", `${path}.${name}`);
  return typeof time === "number" ? time : undefined;
}

function readStatus(
  member: Fields,
  endsAt: number | undefined,
  path: string,
  context: BodyContext,
): "firing" | "resolved" {
  const byEnd = endsAt !== undefined && endsAt <= context.receivedMs ? "resolved" : "firing";
  if (context.shape === "posted") return byEnd;
  const status = ownField(member, "status");
  if (status === "firing" || status === "resolved") return status;
  context.report.warn("unknown_status", `${path}.status`);
  return byEnd;
}

function readLinks(member: Fields, annotations: Readonly<Record<string, string>>, context: BodyContext): AlertLink[] {
  return [
    ...httpLink(firstText(annotations, names.runbook), "runbook"),
    ...httpLink(firstText(annotations, names.dashboard), "dashboard"),
    ...httpLink(textOf(ownField(member, "generatorURL")), "graph"),
    ...context.links,
  ];
}
