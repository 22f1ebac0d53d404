/**
 * The judge: reads the senders' history, the product's API, the ticket system's ledger and, where it can be read, the
 * log, and says what does not fit. It knows the rules of the test's configuration and nothing else of Winnow.
 */
import type { Api, ApiAccounting, ApiAlert, ApiIncident, ApiMember } from "./api.ts";
import { checkTickets } from "./check-tickets.ts";
import type { Attempt } from "./history.ts";
import { type LogContents, messageKey } from "./log-search.ts";
import { type ArrivalOrder, type Fate, fatesOf } from "./model.ts";
import type { LedgerRow } from "./ticket-system.ts";

export interface Evidence {
  readonly history: readonly Attempt[];
  /** null: of a cluster, whose log is judged by what comes of it alone. */
  readonly log: LogContents | null;
  readonly order?: ArrivalOrder;
  readonly api: Api;
  readonly ledger: readonly LedgerRow[];
}

export interface Verdict {
  /** Empty when everything fits. */
  readonly problems: readonly string[];
  readonly alerts: number;
  readonly incidents: number;
  readonly tickets: number;
  readonly accounting: ApiAccounting;
}

export async function judge({ history, log, api, ledger, order = "sent" }: Evidence): Promise<Verdict> {
  const fates = fatesOf(history, order);
  const incidents = await api.all<ApiIncident>("/v1/incidents");
  const { value: accounting } = await api.get<ApiAccounting>("/v1/accounting");
  const problems = [
    ...(log === null ? [] : checkLog(history, log)),
    ...(await checkAlerts(fates, log, api)),
    ...(await checkIncidents(fates, incidents, api)),
    ...(await checkDeadLetters(history, api)),
    ...checkAccounting(history, accounting),
    ...(await checkTickets(incidents, ledger, api)),
  ];
  const tickets = ledger.filter(({ op }) => op === "create").length;
  return { problems, alerts: fates.size, incidents: incidents.length, tickets, accounting };
}

/** Every acknowledged message stands in the log, none more often than it was sent, and nothing else does. */
export function checkLog(history: readonly Attempt[], log: LogContents): string[] {
  const expected = new Map<string, { acked: number; sent: number }>();
  for (const { send, items, junk, outcome } of history) {
    if (outcome === "unreachable") continue;
    for (const tid of [...items.map((item) => item.tid), ...(junk > 0 ? ["junk"] : [])]) {
      const key = messageKey(send, tid);
      const counts = expected.get(key) ?? { acked: 0, sent: 0 };
      expected.set(key, { acked: counts.acked + (outcome === "acked" ? 1 : 0), sent: counts.sent + 1 });
    }
  }
  const problems: string[] = [];
  for (const [key, { acked, sent }] of expected) {
    const found = log.messages.get(key) ?? 0;
    if (found < acked) problems.push(`lost: ${key} was acknowledged ${acked} times and is in the log ${found} times`);
    if (found > sent) problems.push(`doubled: ${key} was sent ${sent} times and is in the log ${found} times`);
  }
  for (const key of log.messages.keys()) if (!expected.has(key)) problems.push(`invented: nobody sent ${key}`);
  return problems;
}

/** Every acknowledged alert is found, in a state that its messages allow. */
async function checkAlerts(fates: ReadonlyMap<string, Fate>, log: LogContents | null, api: Api): Promise<string[]> {
  const listed = await api.all<ApiAlert>("/v1/alerts");
  const byTid = new Map(listed.map((alert) => [alert.labels["tid"]?.[0] ?? "", alert]));
  const problems: string[] = [];
  if (byTid.size !== listed.length) problems.push(`${listed.length - byTid.size} alerts are listed twice`);
  for (const fate of fates.values()) {
    // A resolve that came before its fire is remembered, but not listed.
    const alert = byTid.get(fate.tid) ?? (await alertOf(fate.tid, log, api));
    if (alert === null) {
      const isHidden = log === null && fate.joined !== "yes";
      if (fate.isAcked && !isHidden) problems.push(`alert ${fate.tid} was acknowledged and is not found`);
      continue;
    }
    if (!fate.statuses.has(alert.status)) {
      problems.push(`alert ${fate.tid} is ${alert.status}, not ${[...fate.statuses].join(" or ")}`);
    }
  }
  for (const tid of byTid.keys()) if (!fates.has(tid)) problems.push(`alert ${tid} was never sent`);
  return problems;
}

async function alertOf(tid: string, log: LogContents | null, api: Api): Promise<ApiAlert | null> {
  const fingerprint = log?.fingerprints.get(tid);
  if (fingerprint === undefined) return null;
  const { status, value } = await api.get<ApiAlert>(`/v1/alerts/${fingerprint}`);
  return status === 200 ? value : null;
}

function appOf(incident: ApiIncident): string {
  return incident.group_key.find(({ k }) => k === "labels.app")?.v ?? "";
}

/** One incident for each app that had trouble, with all its alerts, open while one of them fires. */
async function checkIncidents(
  fates: ReadonlyMap<string, Fate>,
  incidents: readonly ApiIncident[],
  api: Api,
): Promise<string[]> {
  const problems: string[] = [];
  const byApp = new Map<string, Fate[]>();
  for (const fate of fates.values()) byApp.set(fate.app, [...(byApp.get(fate.app) ?? []), fate]);
  const incidentOf = new Map(incidents.map((incident) => [appOf(incident), incident]));
  if (incidentOf.size !== incidents.length) {
    problems.push(`${incidents.length - incidentOf.size} apps have more than one incident`);
  }
  for (const [app, members] of byApp) {
    const incident = incidentOf.get(app);
    const mustExist = members.some((fate) => fate.isAcked && fate.joined === "yes");
    if (incident === undefined && mustExist) problems.push(`app ${app} has no incident`);
    if (incident !== undefined) problems.push(...(await checkMembers(incident, members, api)));
  }
  for (const app of incidentOf.keys()) if (!byApp.has(app)) problems.push(`incident for ${app}, of which nobody told`);
  return problems;
}

/** A member row per alert and occurrence; the alert fires while one of them does. */
async function checkMembers(incident: ApiIncident, fates: readonly Fate[], api: Api): Promise<string[]> {
  const rows = await api.all<ApiMember>(`/v1/incidents/${incident.id}/members`);
  const problems: string[] = [];
  const say = (text: string): void => void problems.push(`incident ${incident.id}: ${text}`);
  const members = new Map<string, "firing" | "resolved">();
  const episodes = new Set<string>();
  for (const { labels, status, episode } of rows) {
    const tid = labels["tid"]?.[0] ?? "";
    if (status === "firing" && members.get(tid) === "firing") say(`${tid} fires in two occurrences`);
    members.set(tid, members.get(tid) === "firing" ? "firing" : status);
    episodes.add(`${tid} ${episode.id}`);
  }
  if (episodes.size !== rows.length) say("an occurrence is listed twice");
  if (members.size !== incident.member_count) say(`${members.size} members, member_count ${incident.member_count}`);
  const open = [...members.values()].filter((status) => status === "firing").length;
  if (open !== incident.open_member_count) {
    say(`${open} firing members, open_member_count ${incident.open_member_count}`);
  }
  if (open > 0 === (incident.state === "resolved")) say(`${incident.state} with ${open} firing members`);
  for (const { tid, isAcked, joined, statuses: allowed } of fates) {
    const status = members.get(tid);
    members.delete(tid);
    if (status === undefined && isAcked && joined === "yes") say(`alert ${tid} is no member`);
    if (status !== undefined && joined === "no") say(`alert ${tid} must not be a member`);
    if (status !== undefined && !allowed.has(status)) say(`member ${tid} is ${status}`);
  }
  for (const tid of members.keys()) say(`member ${tid} is none of this app's`);
  return problems;
}

/** What could not be read is kept and can be looked at. */
async function checkDeadLetters(history: readonly Attempt[], api: Api): Promise<string[]> {
  const letters = await api.all<{ raw_base64: string }>("/v1/dead-letters");
  const raw = letters.map((letter) => Buffer.from(letter.raw_base64, "base64").toString());
  const acked = history.filter(({ junk, outcome }) => junk > 0 && outcome === "acked");
  return acked
    .filter(({ send }) => !raw.some((text) => new RegExp(`send=${send}\\b`).test(text)))
    .map(({ send }) => `junk ${send} was acknowledged and is no dead letter`);
}

/** The equation, and that what was accepted is what was acknowledged. */
function checkAccounting(history: readonly Attempt[], { accepted, in_flight, outcomes }: ApiAccounting): string[] {
  const problems: string[] = [];
  const settled = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  if (in_flight !== 0) problems.push(`${in_flight} events are in flight at rest`);
  if (accepted !== settled + in_flight)
    problems.push(`accepted ${accepted}, settled ${settled}, in flight ${in_flight}`);
  let least = 0;
  let most = 0;
  for (const { outcome, items, junk, stored } of history) {
    least += stored;
    most += outcome === "acked" ? stored : outcome === "unreachable" ? 0 : items.length + junk;
  }
  if (accepted < least || accepted > most) problems.push(`accepted ${accepted}, acknowledged ${least} to ${most}`);
  return problems;
}
