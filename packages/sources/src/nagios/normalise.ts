import type { AlertAction, AlertDraft, AlertFlags, KeyPart } from "@winnow/contracts";
import { commaList, defined, type Fields, httpLink, isFields, LabelSet, numberOf } from "../reading.ts";
import { Report, wholeBodyRejected } from "../report.ts";
import { severityFields, severityTable } from "../severity.ts";
import type { Normalised, SourceBody, SourceRequest, SourceSettings } from "../source.ts";
import { readEpoch } from "../times.ts";
import { type NagiosFields, readFields } from "./fields.ts";
import { bodySchema } from "./schema.ts";

const severities = severityTable([
  { severity: "critical", words: ["critical", "down"] },
  { severity: "error", words: ["unreachable"] },
  { severity: "warning", words: ["warning"] },
  { severity: "unknown", words: ["unknown", "pending"] },
]);

const stateNames = {
  service: ["ok", "warning", "critical", "unknown"],
  host: ["up", "down", "unreachable"],
} as const;

/** What a notification type says. `status` is left to the state where the type does not decide it. */
interface TypeMeaning {
  readonly action: AlertAction;
  readonly status?: "firing" | "resolved";
  readonly flags?: AlertFlags;
}

const types = new Map<string, TypeMeaning>([
  ["PROBLEM", { action: "fire", status: "firing" }],
  ["RECOVERY", { action: "resolve", status: "resolved" }],
  ["ACKNOWLEDGEMENT", { action: "acknowledge", flags: { acknowledged: true } }],
  ["FLAPPINGSTART", { action: "update", flags: { flapping: true } }],
  ["FLAPPINGSTOP", { action: "update", flags: { flapping: false } }],
  ["FLAPPINGDISABLED", { action: "update", flags: { flapping: false } }],
  ["DOWNTIMESTART", { action: "suppress", flags: { suppressed: true, maintenance: true } }],
  ["DOWNTIMEEND", { action: "unsuppress", flags: { suppressed: false, maintenance: false } }],
  ["DOWNTIMECANCELLED", { action: "unsuppress", flags: { suppressed: false, maintenance: false } }],
  ["CUSTOM", { action: "comment" }],
]);

/** Maps notifications of Nagios, Naemon and Icinga 1, sent by our notification command as a form or as JSON. */
export function normaliseNagios(request: SourceRequest, settings: SourceSettings): Normalised {
  const bodies = bodiesOf(request.body);
  if (bodies === undefined) {
    const body = request.body.kind === "json" ? request.body.value : null;
    return wholeBodyRejected(bodySchema, body);
  }
  const report = new Report();
  if (bodies.length === 0) report.reject("no_alerts", "", undefined);
  bodies.forEach((body, index) => {
    const path = bodies.length === 1 ? "" : `[${index}]`;
    if (isFields(body)) readNotification({ fields: readFields(body), body, path, settings, report });
    else report.reject("wrong_body", path, body);
  });
  return report.result();
}

function bodiesOf(body: SourceBody): readonly unknown[] | undefined {
  if (body.kind === "form")
    return [Object.fromEntries([...body.fields].map(([name, values]) => [name, values.find((text) => text !== "")]))];
  if (body.kind !== "json") return undefined;
  if (Array.isArray(body.value)) return body.value as unknown[];
  return isFields(body.value) ? [body.value] : undefined;
}

interface NotificationInput {
  readonly fields: NagiosFields;
  readonly body: Fields;
  readonly path: string;
  readonly settings: SourceSettings;
  readonly report: Report;
}

function readNotification(input: NotificationInput): void {
  const { fields, report, path } = input;
  const type = fields.get("notification_type")?.trim().toUpperCase();
  if (type === "TEST") report.draft(testDraft());
  else if (fields.get("host") === undefined) rejectMissing("host", input);
  else if (type === undefined && fields.get("state") === undefined) rejectMissing("notification_type", input);
  else report.draft(readAlert(input, type, path));
}

/** The item is not kept when it is the whole body: the receiver has those bytes. */
function rejectMissing(field: string, { report, path, body }: NotificationInput): void {
  report.reject("missing_field", path === "" ? field : `${path}.${field}`, path === "" ? undefined : body);
}

function testDraft(): AlertDraft {
  return {
    kind: "test",
    action: "fire",
    status: "firing",
    severity: "info",
    title: "Test of the Nagios notification command",
    identity: [{ k: "test", v: "nagios" }],
    dedup_key: "nagios-test",
    labels: {},
    annotations: {},
    links: [],
    time_quality: "received",
  };
}

function readAlert(input: NotificationInput, type: string | undefined, path: string): AlertDraft {
  const { fields, settings, report } = input;
  const host = fields.get("host") ?? "";
  const service = fields.get("service");
  const state = stateName(fields.get("state"), service === undefined ? "host" : "service");
  const meaning = readMeaning(type, state, path, report);
  const status = meaning.status ?? (isGood(state) ? "resolved" : "firing");
  const soft = fields.get("state_type")?.trim().toUpperCase() === "SOFT";
  if (soft) report.warn("soft_state", path);
  const occurred = readOccurred(fields, path, report);
  const identity = readIdentity(fields, host, service);
  const comment = fields.get("comment");
  const author = fields.get("author");
  return defined<AlertDraft>({
    kind: soft ? "change" : "alert",
    action: meaning.action,
    status,
    flags: readFlags(meaning, state),
    ...readSeverity(fields, state, path, report),
    title: service === undefined ? `Host ${host}` : `${service} on ${host}`,
    description: (meaning.action === "comment" ? comment : undefined) ?? readOutput(fields),
    identity,
    dedup_key: identity
      .map((part) => part.v)
      .filter((text) => text !== "")
      .join("/"),
    episode_id: readEpisode(fields, meaning.action),
    service,
    environment: fields.get("environment") ?? settings.environment,
    host,
    class: service ?? "host check",
    resource: resourceOf(fields),
    metric: readMetric(fields.get("perfdata")),
    labels: readLabels(fields, host, service),
    annotations: defined<Record<string, string>>({ comment, perfdata: fields.get("perfdata") }),
    links: [...httpLink(fields.get("notes_url"), "runbook"), ...httpLink(fields.get("action_url"), "dashboard")],
    ...readEnd(meaning, occurred),
    actor: author === undefined ? undefined : { name: author },
  });
}

type End = Pick<AlertDraft, "resolve_reason" | "occurred_ms" | "ended_ms" | "time_quality">;

function readEnd(meaning: TypeMeaning, occurred: number | undefined): End {
  const over = meaning.action === "resolve";
  return defined<End>({
    resolve_reason: over ? "condition" : undefined,
    occurred_ms: occurred,
    ended_ms: over ? occurred : undefined,
    time_quality: occurred === undefined ? "received" : "exact",
  });
}

/** The state's word in lower case; plug-ins and scripts also send the return code. */
function stateName(state: string | undefined, object: "service" | "host"): string | undefined {
  const word = state?.trim().toLowerCase();
  return word !== undefined && /^[0-3]$/.test(word) ? (stateNames[object][Number(word)] ?? word) : word;
}

function isGood(state: string | undefined): boolean {
  return state === "ok" || state === "up";
}

function readMeaning(type: string | undefined, state: string | undefined, path: string, report: Report): TypeMeaning {
  // Some commands append who or what: `DOWNTIMESTART (CRITICAL)`, `ACKNOWLEDGEMENT by jdoe`.
  const known = type === undefined ? undefined : types.get(/^[A-Z]+/.exec(type)?.[0] ?? "");
  if (known !== undefined) return known;
  report.warn("unknown_status", path === "" ? "notification_type" : `${path}.notification_type`);
  return isGood(state) ? { action: "resolve", status: "resolved" } : { action: "fire", status: "firing" };
}

function readFlags(meaning: TypeMeaning, state: string | undefined): AlertFlags | undefined {
  const flags: { -readonly [Flag in keyof AlertFlags]: AlertFlags[Flag] } = { ...meaning.flags };
  if (meaning.action === "fire") {
    flags.no_data = state === "unknown";
    if (state === "unreachable" || state === "down") flags.dependent = state === "unreachable";
  }
  return Object.keys(flags).length === 0 ? undefined : flags;
}

/** A recovery names the state that it ends, where the command sends it: OK is no severity. */
function readSeverity(
  fields: NagiosFields,
  state: string | undefined,
  path: string,
  report: Report,
): Pick<AlertDraft, "severity" | "severity_number" | "severity_source"> {
  const object = fields.get("service") === undefined ? "host" : "service";
  const word = isGood(state) ? stateName(fields.get("last_state"), object) : state;
  if (word === undefined || isGood(word)) return { severity: "unknown" };
  const known = severityFields(severities, word);
  if (known !== undefined) return { ...known, severity_source: word.toUpperCase() };
  report.warn("unknown_severity", path === "" ? "state" : `${path}.state`);
  return { severity: "unknown", severity_source: word };
}

/** $TIMET$ is the notification's own time; the time of the state is older and the same in every repetition. */
function readOccurred(fields: NagiosFields, path: string, report: Report): number | undefined {
  const names = ["time", "last_state_change"] as const;
  for (const name of names) {
    const time = readEpoch(fields.get(name), "s");
    if (typeof time === "number") return time;
    if (time === "bad") report.warn("bad_time", path === "" ? name : `${path}.${name}`);
  }
  return undefined;
}

/** Host checks have no service, and say so: an empty value is an identity too. */
function readIdentity(fields: NagiosFields, host: string, service: string | undefined): KeyPart[] {
  const site = fields.get("site");
  const parts = [
    { k: "host", v: host },
    { k: "service", v: service ?? "" },
  ];
  return site === undefined ? parts : [{ k: "site", v: site }, ...parts];
}

/**
 * The problem id stands from the first bad state to the recovery. On recovery Nagios moves it to the "last" macro;
 * some versions keep it in place and send 0 as the last one.
 */
function readEpisode(fields: NagiosFields, action: AlertAction): string | undefined {
  const names = action === "resolve" ? (["last_problem_id", "problem_id"] as const) : (["problem_id"] as const);
  return names.map((name) => fields.get(name)?.trim()).find((id) => id !== undefined && id !== "" && id !== "0");
}

function readOutput(fields: NagiosFields): string | undefined {
  // Only the long output has its newlines and backslashes escaped by Nagios.
  const long = fields.get("long_output")?.replaceAll(/\\(\\|n)/g, (_, mark: string) => (mark === "n" ? "\n" : "\\"));
  const parts = [fields.get("output"), long].filter((text) => text !== undefined);
  return parts.length === 0 ? undefined : parts.join("\n");
}

function resourceOf(fields: NagiosFields): Record<string, string> | undefined {
  const address = fields.get("host_address");
  return address === undefined ? undefined : { "host.ip": address };
}

/** The first value of `'/var'=9790MB;8000;9000;0;10000 …`: label, value, unit, and the critical threshold. */
function readMetric(perfdata: string | undefined): AlertDraft["metric"] | undefined {
  const match = /^\s*(?:'([^']+)'|([^\s='"]+))=(-?[\d.]+)([A-Za-z%]*)(?:;([^;\s]*))?(?:;([^;\s]*))?/.exec(
    perfdata ?? "",
  );
  const name = match?.[1] ?? match?.[2];
  const value = numberOf(match?.[3]);
  if (name === undefined || value === undefined) return undefined;
  const unit = match?.[4] === "" ? undefined : match?.[4];
  return defined<NonNullable<AlertDraft["metric"]>>({ name, value, unit, threshold: numberOf(match?.[6]) });
}

function readLabels(fields: NagiosFields, host: string, service: string | undefined): Record<string, string[]> {
  const labels = new LabelSet();
  for (const [name, value] of fields.labels) labels.add(name, value);
  labels.add("host", host);
  if (service !== undefined) labels.add("service", service);
  for (const name of ["site", "environment", "team", "host_alias"] as const) labels.add(name, fields.get(name) ?? "");
  for (const group of commaList(fields.get("host_groups"))) labels.add("host_group", group);
  for (const group of commaList(fields.get("service_groups"))) labels.add("service_group", group);
  return labels.record();
}
