import type { AlertDraft, KeyPart, Priority } from "@winnow/contracts";
import {
  commaList,
  defined,
  type Fields,
  firstLabel,
  httpLink,
  isFields,
  LabelSet,
  ownField,
  textOf,
} from "../reading.ts";
import { Report, wholeBodyRejected } from "../report.ts";
import { severityFields, severityTable } from "../severity.ts";
import type { Normalised, SourceBody, SourceRequest, SourceSettings } from "../source.ts";
import { readEpoch } from "../times.ts";
import { type DefaultPayload, readDefaultPayload, withoutPrefixes } from "./default-payload.ts";
import { bodySchema } from "./schema.ts";

const severities = severityTable([
  { severity: "critical", words: ["p1"] },
  { severity: "error", words: ["p2", "error"] },
  { severity: "warning", words: ["p3", "warning", "warn"] },
  { severity: "info", words: ["p4", "info"] },
  { severity: "info", words: ["p5"], number: 5 },
]);

/** What a transition says. Renotify repeats whatever state there was, so it says nothing about missing data. */
interface Transition {
  readonly status: "firing" | "resolved";
  readonly noData: boolean | undefined;
  /** A warning threshold: the monitor's priority alone would say too much. */
  readonly warn: boolean;
}

/** $ALERT_TRANSITION in lower case. */
const transitions = new Map<string, Transition>([
  ["triggered", { status: "firing", noData: false, warn: false }],
  ["re-triggered", { status: "firing", noData: false, warn: false }],
  ["warn", { status: "firing", noData: false, warn: true }],
  ["re-warn", { status: "firing", noData: false, warn: true }],
  ["no data", { status: "firing", noData: true, warn: false }],
  ["re-no data", { status: "firing", noData: true, warn: false }],
  ["renotify", { status: "firing", noData: undefined, warn: false }],
  ["recovered", { status: "resolved", noData: false, warn: false }],
]);

/** An unset variable stays as it was written in the template. */
const placeholder = /^\$[A-Z][A-Z0-9_]*(?:\[[^\]]*\])?$/;

/** The fields of the template that are set, those that came as a literal placeholder, and those that came empty. */
interface TemplateFields {
  readonly set: ReadonlyMap<string, string>;
  readonly unresolved: ReadonlySet<string>;
  readonly blank: ReadonlySet<string>;
}

/** Maps a Datadog webhook made with our template, as JSON or form, and the default payload as far as it goes. */
export function normaliseDatadog(request: SourceRequest, settings: SourceSettings): Normalised {
  const body = fieldsOf(request.body);
  if (body === undefined)
    return wholeBodyRejected(bodySchema, request.body.kind === "json" ? request.body.value : null);
  const template = readTemplate(body);
  const report = new Report();
  const preset = template.set.has("alert_id") ? undefined : readDefaultPayload(template.set);
  const alertId = template.set.get("alert_id") ?? preset?.monitorId;
  const deliveryId = template.set.get("id");
  if (isTest(template)) report.draft(testDraft());
  else if (alertId === undefined && preset === undefined && !template.set.has("event_title"))
    report.reject(
      "missing_field",
      "alert_id",
      undefined,
      "alert_id ($ALERT_ID) is missing: paste the payload template",
    );
  else report.draft(readAlert({ template, preset, alertId, settings, report }));
  return report.result(deliveryId);
}

function fieldsOf(body: SourceBody): Fields | undefined {
  if (body.kind === "form") return Object.fromEntries([...body.fields].map(([name, values]) => [name, values[0]]));
  return body.kind === "json" && isFields(body.value) ? body.value : undefined;
}

function readTemplate(body: Fields): TemplateFields {
  const set = new Map<string, string>();
  const unresolved = new Set<string>();
  const blank = new Set<string>();
  for (const name of Object.keys(bodySchema.properties)) {
    const raw = ownField(body, name);
    const text = textOf(raw);
    if (text === undefined || text === "null") {
      if (raw !== undefined) blank.add(name);
    } else if (placeholder.test(text.trim())) unresolved.add(name);
    else set.set(name, text);
  }
  const org = ownField(body, "org");
  const orgId = isFields(org) ? textOf(ownField(org, "id")) : undefined;
  if (orgId !== undefined && !set.has("org_id")) set.set("org_id", orgId);
  return { set, unresolved, blank };
}

/** A template sent without its variables being filled in speaks of nothing that happened. */
function isTest({ set, unresolved }: TemplateFields): boolean {
  return (
    unresolved.size > 0 &&
    ["alert_id", "id", "event_title", "alert_transition", "title"].every((name) => !set.has(name))
  );
}

function testDraft(): AlertDraft {
  return {
    kind: "test",
    action: "fire",
    status: "firing",
    severity: "info",
    title: "Test of the Datadog webhook",
    identity: [{ k: "test", v: "datadog" }],
    dedup_key: "datadog-test",
    labels: {},
    annotations: {},
    links: [],
    time_quality: "received",
  };
}

interface AlertInput {
  readonly template: TemplateFields;
  readonly preset: DefaultPayload | undefined;
  readonly alertId: string | undefined;
  readonly settings: SourceSettings;
  readonly report: Report;
}

function readAlert(input: AlertInput): AlertDraft {
  const { template, preset, alertId, report } = input;
  const { set } = template;
  if (preset !== undefined) report.warn("default_payload", "", "no template is set: see the source's README");
  const labels = readLabels(set, preset);
  const state = readState(set, preset, report);
  const scope = readScope(set, preset);
  const identity = readIdentity(input, scope, labels);
  const title = readTitle(set, preset);
  return defined<AlertDraft>({
    kind: state.kind,
    action: state.status === "firing" ? "fire" : "resolve",
    status: state.status,
    flags: state.noData === undefined ? undefined : { no_data: state.noData },
    ...readSeverity(set, preset, state.warn, report),
    title,
    description: cleanMessage(set.get("event_msg") ?? set.get("body")),
    identity,
    dedup_key: alertId === undefined ? (set.get("aggreg_key") ?? title) : ["monitor", alertId, ...scope].join("/"),
    episode_id: set.get("alert_cycle_key"),
    group_key: set.get("aggreg_key"),
    rule: alertId === undefined ? undefined : { id: alertId, name: title },
    ...readPlaces(input, labels),
    metric: readMetric(set),
    labels,
    annotations: defined<Record<string, string>>({ alert_status: set.get("alert_status") }),
    links: [...httpLink(set.get("link"), "alert", "Datadog"), ...httpLink(set.get("snapshot"), "graph")],
    ...readTimes(set, state, report),
    actor: set.has("user") ? { name: set.get("user") ?? "" } : undefined,
    hints: readPriority(set, preset),
  });
}

type Places = Pick<AlertDraft, "service" | "environment" | "host" | "component" | "class">;

function readPlaces(
  { template: { set }, settings }: AlertInput,
  labels: Readonly<Record<string, readonly string[]>>,
): Places {
  return defined<Places>({
    service: firstLabel(labels, ["service"]),
    environment: firstLabel(labels, ["env", "environment"]) ?? settings.environment,
    host: set.get("hostname") ?? firstLabel(labels, ["host"]),
    component: firstLabel(labels, ["component"]),
    class: set.get("event_type"),
  });
}

type Times = Pick<AlertDraft, "resolve_reason" | "occurred_ms" | "ended_ms" | "time_quality">;

function readTimes(set: ReadonlyMap<string, string>, state: AlertStateRead, report: Report): Times {
  const date = readEpoch(set.get("date"), "ms");
  if (date === "bad") report.warn("bad_time", "date");
  const occurred = typeof date === "number" ? date : undefined;
  const over = state.status === "resolved";
  return defined<Times>({
    resolve_reason: over ? "condition" : undefined,
    occurred_ms: occurred,
    ended_ms: over ? occurred : undefined,
    time_quality: occurred === undefined ? "received" : "exact",
  });
}

interface AlertStateRead extends Transition {
  readonly kind: "alert" | "change";
}

function readState(
  set: ReadonlyMap<string, string>,
  preset: DefaultPayload | undefined,
  report: Report,
): AlertStateRead {
  const word = set.get("alert_transition") ?? preset?.transition;
  const transition = word === undefined ? undefined : transitions.get(word.trim().toLowerCase());
  const type = set.get("alert_type")?.trim().toLowerCase();
  if (transition !== undefined) return { ...transition, kind: "alert", warn: transition.warn || type === "warning" };
  if (word !== undefined) report.warn("unknown_status", "alert_transition");
  if (type === "success") return { kind: "alert", status: "resolved", noData: undefined, warn: false };
  const isAlert = type === "error" || type === "warning" || word !== undefined || set.has("alert_id");
  if (isAlert && word === undefined && set.has("alert_id")) report.warn("unknown_status", "alert_transition");
  return { kind: isAlert ? "alert" : "change", status: "firing", noData: undefined, warn: type === "warning" };
}

/** The monitor's priority decides; without one the alert type does; a warning threshold is never above warning. */
function readSeverity(
  set: ReadonlyMap<string, string>,
  preset: DefaultPayload | undefined,
  warn: boolean,
  report: Report,
): Pick<AlertDraft, "severity" | "severity_number" | "severity_source"> {
  const priority = set.get("alert_priority") ?? preset?.priority;
  const type = set.get("alert_type");
  const word = priority ?? (type?.toLowerCase() === "success" ? undefined : type);
  if (word === undefined) return { severity: "unknown" };
  const fields = severityFields(severities, word);
  if (fields === undefined) {
    report.warn("unknown_severity", priority === undefined ? "alert_type" : "alert_priority");
    return { severity: "unknown", severity_source: word };
  }
  const tooMuch = warn && (fields.severity === "critical" || fields.severity === "error");
  return tooMuch ? { severity: "warning", severity_number: 13, severity_source: `${word} Warn` } : fields;
}

function readPriority(
  set: ReadonlyMap<string, string>,
  preset: DefaultPayload | undefined,
): { priority: Priority } | undefined {
  const word = (set.get("alert_priority") ?? preset?.priority ?? "").trim().toUpperCase();
  return /^P[1-5]$/.test(word) ? { priority: word as Priority } : undefined;
}

/** Tags may repeat a key and hold colons in their values; a bare tag stands under the empty name. */
function readLabels(set: ReadonlyMap<string, string>, preset: DefaultPayload | undefined): Record<string, string[]> {
  const labels = new LabelSet();
  for (const tag of [...commaList(set.get("tags")), ...readScope(set, preset)]) {
    const colon = tag.indexOf(":");
    labels.add(colon < 0 ? "" : tag.slice(0, colon), tag.slice(colon + 1));
  }
  return labels.record();
}

/** The tags of the group that triggered, in one order; empty for a monitor without groups. */
function readScope(set: ReadonlyMap<string, string>, preset: DefaultPayload | undefined): string[] {
  const tags = set.has("alert_scope") ? commaList(set.get("alert_scope")) : (preset?.scope ?? []);
  return [...new Set(tags)].filter((tag) => tag !== "*").toSorted();
}

function readIdentity(
  input: AlertInput,
  scope: readonly string[],
  labels: Readonly<Record<string, readonly string[]>>,
): KeyPart[] {
  const { template, preset, alertId, report } = input;
  const { set, blank } = template;
  const org = set.get("org_id");
  const parts: KeyPart[] = org === undefined ? [] : [{ k: "org", v: org }];
  const aggregation = set.get("aggreg_key");
  if (alertId !== undefined) parts.push({ k: "monitor", v: alertId });
  else if (aggregation !== undefined) return [...parts, { k: "aggregation", v: aggregation }];
  else parts.push({ k: "event", v: readTitle(set, preset) });
  if (scope.length > 0) parts.push({ k: "scope", v: scope.join(",") });
  // An empty scope is a monitor without groups; a scope that was not sent may be any group of it.
  const scopeKnown = set.has("alert_scope") || blank.has("alert_scope") || preset?.scope !== undefined;
  if (alertId !== undefined && scopeKnown) return parts;
  report.warn("identity_incomplete", alertId === undefined ? "alert_id" : "alert_scope");
  for (const name of Object.keys(labels).toSorted())
    for (const value of labels[name] ?? []) parts.push({ k: `tag.${name}`, v: value });
  return parts;
}

/** The monitor's name where it is plain; the event's title, without its state, where the name holds variables. */
function readTitle(set: ReadonlyMap<string, string>, preset: DefaultPayload | undefined): string {
  const name = set.get("alert_title");
  const event = set.get("event_title") ?? preset?.title;
  const chosen = name !== undefined && (event === undefined || !name.includes("{{")) ? name : (event ?? name);
  return withoutPrefixes(chosen ?? "Datadog event");
}

/** Event texts are Markdown between lines of %%%. */
function cleanMessage(text: string | undefined): string | undefined {
  return text?.replaceAll(/^\s*%%%[ \t]*$/gm, "").trim();
}

function readMetric(set: ReadonlyMap<string, string>): AlertDraft["metric"] | undefined {
  const name = set.get("alert_metric");
  const query = set.get("alert_query");
  if (name === undefined && query === undefined) return undefined;
  return defined<NonNullable<AlertDraft["metric"]>>({ name, query });
}
