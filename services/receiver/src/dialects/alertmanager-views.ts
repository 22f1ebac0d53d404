import { re2Engine } from "@winnow/rules";
import { labelFingerprint } from "./alertmanager-fingerprint.ts";
import { type Matcher, matchesAll, parseMatcher } from "./alertmanager-matchers.ts";

/** An alert that is open now, as the stores know it. Times are epoch ms. */
export interface AlertView {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly starts_ms: number;
  /** When it expires; null = it does not. */
  readonly ends_ms: number | null;
  readonly updated_ms: number;
  readonly generator_url: string | null;
  /** Destinations of its incident. */
  readonly receivers: readonly string[];
  readonly silenced_by: readonly string[];
  readonly inhibited_by: readonly string[];
  /** True while it is in no incident yet. */
  readonly unprocessed: boolean;
}

/** An incident as Alertmanager's users see one: a group. */
export interface AlertGroupView {
  readonly labels: Readonly<Record<string, string>>;
  readonly receiver: string;
  readonly alerts: readonly AlertView[];
}

/** What the dialect reads; the stores stand behind it. All of one integration. */
export interface AlertReader {
  openAlerts(integration: string): Promise<readonly AlertView[]>;
  groups(integration: string): Promise<readonly AlertGroupView[]>;
  /** Names of all destinations. */
  receivers(): Promise<readonly string[]>;
}

/** Query parameters as the HTTP layer gives them: a repeated one is a list. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface AlertFilter {
  readonly active: boolean;
  readonly silenced: boolean;
  readonly inhibited: boolean;
  readonly unprocessed: boolean;
  readonly matchers: readonly Matcher[];
  readonly receiver: (name: string) => boolean;
}

export type ParsedFilter =
  | { readonly ok: true; readonly filter: AlertFilter }
  | { readonly ok: false; readonly message: string };

/** Matchers in one query. */
const matchersMax = 100;

/** Reads `active`, `silenced`, `inhibited`, `unprocessed`, `filter` (repeated) and `receiver` (RE2, the whole name). */
export function parseFilter(query: Query): ParsedFilter {
  const texts = [query["filter"] ?? []].flat();
  if (texts.length > matchersMax) return { ok: false, message: `more than ${matchersMax} filters` };
  const matchers: Matcher[] = [];
  for (const text of texts) {
    const parsed = parseMatcher(text);
    if (!parsed.ok) return parsed;
    matchers.push(parsed.matcher);
  }
  const receiver = first(query["receiver"]);
  const pattern = receiver === undefined || receiver === "" ? null : re2Engine.compile(receiver);
  if (pattern?.ok === false) return { ok: false, message: `failed to parse receiver param: ${pattern.message}` };
  return {
    ok: true,
    filter: {
      active: isOn(query, "active"),
      silenced: isOn(query, "silenced"),
      inhibited: isOn(query, "inhibited"),
      unprocessed: isOn(query, "unprocessed"),
      matchers,
      receiver: pattern?.test ?? (() => true),
    },
  };
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function isOn(query: Query, name: string): boolean {
  return first(query[name]) !== "false";
}

function passes(alert: AlertView, filter: AlertFilter): boolean {
  const isSilenced = alert.silenced_by.length > 0;
  const isInhibited = alert.inhibited_by.length > 0;
  if (isSilenced && !filter.silenced) return false;
  if (isInhibited && !filter.inhibited) return false;
  if (alert.unprocessed && !filter.unprocessed) return false;
  if (!(isSilenced || isInhibited || filter.active)) return false;
  return matchesAll(alert.labels, filter.matchers);
}

function isReceived(alert: AlertView, filter: AlertFilter): boolean {
  return alert.receivers.length === 0 ? filter.receiver("") : alert.receivers.some(filter.receiver);
}

/** What Alertmanager shows as the end of an alert whose sender names none; ms. */
const resolveTimeoutMs = 5 * 60_000;

/** `gettableAlert` of the API: Alertmanager's own names. */
interface GettableAlert {
  readonly fingerprint: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly generatorURL: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: {
    readonly state: "active" | "suppressed" | "unprocessed";
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
    readonly mutedBy: readonly string[];
  };
}

function gettable(alert: AlertView, nowMs: number): GettableAlert {
  const isSuppressed = alert.silenced_by.length > 0 || alert.inhibited_by.length > 0;
  const state = isSuppressed ? "suppressed" : alert.unprocessed ? "unprocessed" : "active";
  return {
    fingerprint: labelFingerprint(alert.labels),
    annotations: alert.annotations,
    labels: alert.labels,
    startsAt: new Date(alert.starts_ms).toISOString(),
    endsAt: new Date(alert.ends_ms ?? nowMs + resolveTimeoutMs).toISOString(),
    updatedAt: new Date(alert.updated_ms).toISOString(),
    generatorURL: alert.generator_url ?? "",
    receivers: alert.receivers.map((name) => ({ name })),
    status: { state, silencedBy: alert.silenced_by, inhibitedBy: alert.inhibited_by, mutedBy: [] },
  };
}

function byFingerprint(left: GettableAlert, right: GettableAlert): number {
  return left.fingerprint < right.fingerprint ? -1 : 1;
}

/** `gettableAlerts`, sorted by fingerprint. */
export function showAlerts(alerts: readonly AlertView[], filter: AlertFilter, nowMs: number): readonly GettableAlert[] {
  return alerts
    .filter((alert) => passes(alert, filter) && isReceived(alert, filter))
    .map((alert) => gettable(alert, nowMs))
    .toSorted(byFingerprint);
}

/** `alertGroups`; groups that the filter empties are left out. */
export function showGroups(groups: readonly AlertGroupView[], filter: AlertFilter, nowMs: number): readonly object[] {
  return groups
    .filter(({ receiver }) => filter.receiver(receiver))
    .map(({ alerts, labels, receiver }) => ({
      labels,
      receiver: { name: receiver },
      alerts: alerts
        .filter((alert) => passes(alert, filter))
        .map((alert) => gettable(alert, nowMs))
        .toSorted(byFingerprint),
    }))
    .filter(({ alerts }) => alerts.length > 0);
}
