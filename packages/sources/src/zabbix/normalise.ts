import type { AlertAction, AlertDraft, AlertFlags, ResolveReason } from "@winnow/contracts";
import { commaList, defined, firstLabel, httpLink, isFields, LabelSet, numberOf } from "../reading.ts";
import { Report, wholeBodyRejected } from "../report.ts";
import { severityFields, severityTable } from "../severity.ts";
import type { Normalised, SourceRequest, SourceSettings } from "../source.ts";
import { type EventSource, readFields, readTags, type ZabbixFields } from "./fields.ts";
import { readIdentity } from "./identity.ts";
import { bodySchema } from "./schema.ts";
import { readZabbixTime, type ZabbixMoment, type ZabbixTime } from "./times.ts";

/** {EVENT.NSEVERITY}; the words may be renamed in an installation, the numbers not. */
const severities = severityTable([
  { severity: "critical", words: ["5"] },
  { severity: "error", words: ["4"] },
  { severity: "warning", words: ["3"], number: 14 },
  { severity: "warning", words: ["2"] },
  { severity: "info", words: ["1"] },
  { severity: "unknown", words: ["0"] },
]);

/** {EVENT.SOURCE} */
const eventSources = new Map([
  ["0", "trigger"],
  ["1", "discovery"],
  ["2", "autoregistration"],
  ["3", "internal"],
  ["4", "service"],
] as const);

/** Words of {EVENT.UPDATE.ACTION}, the one that decides first. Zabbix writes them in English in every language. */
const updateWords: readonly { readonly pattern: RegExp; readonly action: AlertAction }[] = [
  { pattern: /\bclosed\b/i, action: "resolve" },
  { pattern: /\bunacknowledged\b/i, action: "unacknowledge" },
  { pattern: /\backnowledged\b/i, action: "acknowledge" },
  { pattern: /\bunsuppressed\b/i, action: "unsuppress" },
  { pattern: /\bsuppressed\b/i, action: "suppress" },
  { pattern: /\bseverity\b/i, action: "update" },
  { pattern: /\bcomment(?:ed)?\b/i, action: "comment" },
];

/** Maps what the script of our media type posts. */
export function normaliseZabbix(request: SourceRequest, settings: SourceSettings): Normalised {
  const body = request.body.kind === "json" ? request.body.value : undefined;
  if (!isFields(body)) return wholeBodyRejected(bodySchema, body ?? null);
  const report = new Report();
  const fields = readFields(body);
  const source = eventSources.get((fields.get("event_source") ?? "0") as "0") ?? "trigger";
  if (fields.get("event_id") === undefined) {
    // The test dialog of the media type sends the macros themselves.
    if (fields.isUnresolved("event_id")) report.draft(testDraft(fields));
    else report.reject("missing_field", "event_id", undefined);
  } else if (isProblem(source, fields)) report.draft(readAlert({ fields, source, settings, report }));
  else report.draft(readChange(fields, source, settings, report));
  return report.result();
}

/** Discovery and autoregistration tell that something was found; the others have a problem that ends. */
function isProblem(source: EventSource, fields: ZabbixFields): boolean {
  if (source === "discovery" || source === "autoregistration") return false;
  return source !== "internal" || fields.get("event_value") !== undefined;
}

function testDraft(fields: ZabbixFields): AlertDraft {
  return {
    kind: "test",
    action: "fire",
    status: "firing",
    severity: "info",
    title: fields.get("subject") ?? "Test of the Zabbix media type",
    identity: [{ k: "test", v: "zabbix" }],
    dedup_key: "zabbix-test",
    labels: {},
    annotations: {},
    links: [],
    time_quality: "received",
  };
}

interface EventInput {
  readonly fields: ZabbixFields;
  readonly source: EventSource;
  readonly settings: SourceSettings;
  readonly report: Report;
}

function readAlert(input: EventInput): AlertDraft {
  const { fields, source, settings, report } = input;
  const labels = readLabels(fields);
  const state = readState(fields, report);
  const timeOf = (which: ZabbixMoment): ZabbixTime => readZabbixTime(which, fields, settings.timeZone, report);
  const started = timeOf("event");
  const moment = momentOf(state);
  const occurred = moment === "event" ? started : timeOf(moment);
  const identity = readIdentity(fields, source, labels, report);
  const title = fields.get("event_name") ?? fields.get("subject") ?? `Zabbix event ${fields.get("event_id")}`;
  const user = fields.get("event_update_user");
  return defined<AlertDraft>({
    kind: "alert",
    action: state.action,
    status: state.status,
    flags: readFlags(fields, state.action, source),
    resolve_reason: state.reason,
    ...readSeverity(fields, report),
    title,
    description: readDescription(fields, state),
    identity,
    dedup_key: identity.map((part) => `${part.k}:${part.v}`).join("/"),
    episode_id: fields.get("event_id"),
    rule: defined<NonNullable<AlertDraft["rule"]>>({ id: fields.get("trigger_id"), name: title }),
    ...readPlaces(input, labels),
    resource: readResource(fields),
    metric: readMetric(fields),
    labels,
    annotations: readAnnotations(fields),
    links: readLinks(fields),
    occurred_ms: occurred.ms,
    started_ms: started.ms,
    ended_ms: state.status === "resolved" ? occurred.ms : undefined,
    time_quality: occurred.quality,
    actor: user === undefined || !state.isUpdate ? undefined : { name: user },
  });
}

function readDescription(fields: ZabbixFields, state: EventState): string | undefined {
  const comment = state.action === "comment" ? fields.get("event_update_message") : undefined;
  return comment ?? fields.get("trigger_description") ?? fields.get("message");
}

type Places = Pick<AlertDraft, "service" | "environment" | "host" | "component" | "class">;

function readPlaces(
  { fields, source, settings }: EventInput,
  labels: Readonly<Record<string, readonly string[]>>,
): Places {
  const service = source === "service" ? fields.get("service_name") : undefined;
  return defined<Places>({
    service: service ?? firstLabel(labels, ["service"]),
    environment: firstLabel(labels, ["environment", "env"]) ?? settings.environment,
    host: fields.get("host_host") ?? fields.get("host_name"),
    component: firstLabel(labels, ["component"]),
    class: source === "trigger" ? firstLabel(labels, ["class", "scope"]) : `zabbix ${source}`,
  });
}

/** What was found or registered: kept, told, opens nothing. */
function readChange(fields: ZabbixFields, source: EventSource, settings: SourceSettings, report: Report): AlertDraft {
  const time = readZabbixTime("event", fields, settings.timeZone, report);
  const id = fields.get("event_id") ?? "";
  return defined<AlertDraft>({
    kind: "change",
    action: "fire",
    status: "firing",
    severity: "info",
    title: fields.get("subject") ?? fields.get("event_name") ?? `Zabbix ${source} event`,
    description: fields.get("message"),
    identity: [{ k: "event", v: id }],
    dedup_key: `event:${id}`,
    host: fields.get("host_host"),
    environment: settings.environment,
    class: `zabbix ${source}`,
    labels: readLabels(fields),
    annotations: readAnnotations(fields),
    links: readLinks(fields),
    occurred_ms: time.ms,
    time_quality: time.quality,
  });
}

interface EventState {
  readonly action: AlertAction;
  readonly status: "firing" | "resolved";
  readonly isUpdate: boolean;
  readonly reason: ResolveReason | undefined;
}

function readState(fields: ZabbixFields, report: Report): EventState {
  const value = fields.get("event_value");
  if (value !== "0" && value !== "1") report.warn("unknown_status", "event_value");
  const status = value === "0" ? "resolved" : "firing";
  const isUpdate = fields.get("event_update_status") === "1";
  if (!isUpdate) {
    const resolved = status === "resolved";
    return { action: resolved ? "resolve" : "fire", status, isUpdate, reason: resolved ? "condition" : undefined };
  }
  const words = fields.get("event_update_action") ?? "";
  const action = updateWords.find(({ pattern }) => pattern.test(words))?.action ?? "update";
  if (action === "resolve") return { action, status: "resolved", isUpdate, reason: "manual" };
  return { action, status, isUpdate, reason: undefined };
}

/** Which of the event's times is that of this message. */
function momentOf(state: EventState): ZabbixMoment {
  if (state.isUpdate) return "event_update";
  return state.status === "resolved" ? "event_recovery" : "event";
}

function readFlags(fields: ZabbixFields, action: AlertAction, source: EventSource): AlertFlags | undefined {
  const flags: { -readonly [Flag in keyof AlertFlags]: AlertFlags[Flag] } = {};
  const acknowledged = fields.get("event_ack_status")?.trim().toLowerCase();
  if (acknowledged === "yes" || acknowledged === "no") flags.acknowledged = acknowledged === "yes";
  if (action === "acknowledge") flags.acknowledged = true;
  if (action === "unacknowledge") flags.acknowledged = false;
  if (action === "suppress") flags.suppressed = true;
  if (action === "unsuppress") flags.suppressed = false;
  // An internal event says that an item or a trigger can no longer be worked out.
  if (source === "internal") flags.no_data = true;
  return Object.keys(flags).length === 0 ? undefined : flags;
}

function readSeverity(
  fields: ZabbixFields,
  report: Report,
): Pick<AlertDraft, "severity" | "severity_number" | "severity_source"> {
  const updated = fields.get("event_update_nseverity");
  const code = updated ?? fields.get("event_nseverity");
  // The word belongs to the state before a service's update.
  const word = updated === undefined ? (fields.get("event_severity") ?? code) : updated;
  if (code === undefined) return defined({ severity: "unknown", severity_source: word });
  const known = severityFields(severities, code);
  if (known !== undefined) return { ...known, severity_source: word ?? code };
  report.warn("unknown_severity", "event_nseverity");
  return { severity: "unknown", severity_source: word ?? code };
}

/** Tags as they are, several values under one name; a tag without a value keeps its name under the empty one. */
function readLabels(fields: ZabbixFields): Record<string, string[]> {
  const labels = new LabelSet();
  for (const [name, value] of readTags(fields.get("event_tags_json"))) {
    if (value === "") labels.add("", name);
    else labels.add(name, value);
  }
  labels.add("host", fields.get("host_host") ?? "");
  labels.add("host_name", fields.get("host_name") ?? "");
  for (const group of commaList(fields.get("host_groups"))) labels.add("host_group", group);
  return labels.record();
}

function readResource(fields: ZabbixFields): Record<string, string> | undefined {
  const resource = defined<Record<string, string>>({
    "host.ip": fields.get("host_ip"),
    "host.id": fields.get("host_id"),
  });
  return Object.keys(resource).length === 0 ? undefined : resource;
}

function readMetric(fields: ZabbixFields): AlertDraft["metric"] | undefined {
  const name = fields.get("item_key");
  const text = fields.get("item_value");
  if (name === undefined && text === undefined) return undefined;
  return defined<NonNullable<AlertDraft["metric"]>>({ name, value_text: text, value: numberOf(text) });
}

function readAnnotations(fields: ZabbixFields): Record<string, string> {
  return defined<Record<string, string>>({
    operational_data: fields.get("event_opdata"),
    message: fields.get("message"),
    update: fields.get("event_update_action"),
    comment: fields.get("event_update_message"),
  });
}

function readLinks(fields: ZabbixFields): AlertDraft["links"] {
  const base = fields.get("zabbix_url")?.replace(/\/+$/, "");
  const ids = { trigger: fields.get("trigger_id") ?? "", event: fields.get("event_id") ?? "" };
  const isId = /^\d+$/;
  const page =
    base !== undefined && isId.test(ids.trigger) && isId.test(ids.event)
      ? `${base}/tr_events.php?triggerid=${ids.trigger}&eventid=${ids.event}`
      : base;
  return [...httpLink(page, "alert", "Zabbix"), ...httpLink(fields.get("trigger_url"), "runbook")];
}
