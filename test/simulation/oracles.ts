import { isDeepStrictEqual } from "node:util";
import type { OutputItem, Topic } from "@winnow/contracts";
import type { CommitMeta, IncidentRow } from "@winnow/ports";
import type { IncidentTables } from "@winnow/testkit";
import { type Cluster, deploymentId } from "./cluster.ts";
import { type ReplayedStage, replayA, replayB, replayC } from "./replay.ts";
import { partitions, ruleSets } from "./scenario.ts";
import type { Outside } from "./senders.ts";

const shownMax = 5;

/** Gathers what is wrong, the first few of each kind. */
class Findings {
  readonly all: string[] = [];
  readonly #seen = new Map<string, number>();

  add(kind: string, text: string): void {
    const count = (this.#seen.get(kind) ?? 0) + 1;
    this.#seen.set(kind, count);
    if (count <= shownMax) this.all.push(`${kind}: ${text}`);
  }

  equal(kind: string, what: string, found: unknown, wanted: unknown): void {
    if (isDeepStrictEqual(found, wanted)) return;
    this.add(kind, `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  }
}

/** Everything that must hold once all is well and everything has come to rest. Empty: it holds. */
export async function judge(cluster: Cluster, outside: Outside): Promise<string[]> {
  const findings = new Findings();
  for (const alarm of cluster.alarms)
    findings.add("alarm", `${alarm.code}: ${alarm.message} ${JSON.stringify(alarm.fields)}`);
  for (const bug of cluster.bugs) findings.add("bug", bug instanceof Error ? (bug.stack ?? bug.message) : String(bug));
  nothingLost(cluster, outside, findings);
  for (let partition = 0; partition < partitions; partition += 1) {
    const until = (stage: "A" | "B") => cluster.checkpoints.stored({ stage, partition })?.meta.position ?? -1;
    const again = await replayA(partition, cluster.disk, until("A")).catch((error: unknown) => error as Error);
    sameStates("A", partition, { cluster, again, findings });
    const after = await replayB(partition, cluster.disk, until("B")).catch((error: unknown) => error as Error);
    sameStates("B", partition, { cluster, again: after, findings });
  }
  const recorded = await replayC(cluster.disk).catch((error: unknown) => error as Error);
  if (recorded instanceof Error) findings.add("replay", `C: ${recorded.message}`);
  else sameIncidents(cluster.incidents, recorded, findings);
  oneTicketEach(cluster, findings);
  accountingExact(cluster, findings);
  sameReasons(cluster.incidents, findings);
  return findings.all;
}

/** What was acknowledged is in the log, and no (receiver, seq) has two contents. */
function nothingLost(cluster: Cluster, outside: Outside, findings: Findings): void {
  const contents = new Map<string, string>();
  for (const [partition, file] of cluster.disk.files("alerts").entries())
    for (const { value } of file.records) {
      if (value.kind !== "events") continue;
      const name = `${value.receiver_id} ${partition} ${value.seq}`;
      const text = JSON.stringify(value.items);
      if ((contents.get(name) ?? text) !== text) findings.add("two contents", name);
      contents.set(name, text);
    }
  for (const { partition, record } of outside.acknowledged) {
    const name = `${record.receiver_id} ${partition} ${record.seq}`;
    if (contents.get(name) !== JSON.stringify(record.items)) findings.add("acknowledged and lost", name);
  }
}

/** States, commit and outputs are what a fault-free replay of the same log gives. */
function sameStates(
  stage: "A" | "B",
  partition: number,
  parts: { readonly cluster: Cluster; readonly again: ReplayedStage | Error; readonly findings: Findings },
): void {
  const { cluster, again, findings } = parts;
  const place = `${stage}.${partition}`;
  if (again instanceof Error) {
    findings.add("replay", `${place}: ${again.message}`);
    return;
  }
  const at = { stage, partition };
  findings.equal("commit", place, cluster.windows.meta(at), again.meta);
  const rows = cluster.windows.rows(at);
  for (const key of new Set([...rows.keys(), ...again.rows.keys()]))
    findings.equal("state", `${place} ${key}`, rows.get(key), again.rows.get(key));
  const saved = cluster.checkpoints.stored(at);
  if (saved !== null) {
    findings.equal("checkpoint", place, saved.meta, again.checkpoint.meta);
    for (const key of new Set([...saved.rows.keys(), ...again.checkpoint.rows.keys()]))
      findings.equal("checkpoint", `${place} ${key}`, saved.rows.get(key), again.checkpoint.rows.get(key));
  }
  // Whatever any machine's clock shows, nothing has happened yet that is later than now.
  const clock = cluster.windows.meta(at)?.clock_ms ?? 0;
  if (clock > cluster.time.now) findings.add("clock", `${place} runs ${clock - cluster.time.now} ms ahead`);
  const topic = stage === "A" ? "transitions" : "incident-events";
  for (let to = 0; to < partitions; to += 1)
    sameOutputs({ stage, partition, topic, to }, again.outputs[to] ?? [], { cluster, findings });
}

/** Every output that was ever published is one that the replay gives, with the same content, and none is missing. */
function sameOutputs(
  lane: { readonly stage: string; readonly partition: number; readonly topic: Topic; readonly to: number },
  wanted: readonly OutputItem[],
  parts: { readonly cluster: Cluster; readonly findings: Findings },
): void {
  const { stage, partition, topic, to } = lane;
  const missing = new Map(wanted.map((item) => [String(item.id), item]));
  const known = new Map(missing);
  for (const { value } of parts.cluster.disk.file(topic, to).records) {
    if (value.kind !== "outputs" || value.stage !== stage || value.partition !== partition) continue;
    for (const item of value.items) {
      missing.delete(String(item.id));
      parts.findings.equal("output", `${stage}.${partition} to ${to}`, item, known.get(String(item.id)));
    }
  }
  for (const id of missing.keys()) parts.findings.add("output missing", `${stage}.${partition} to ${to}: ${id}`);
}

function sameIncidents(live: IncidentTables, again: IncidentTables, findings: Findings): void {
  const plain = (row: IncidentRow | undefined) => row && { ...row, timeline_seq: 0 };
  for (const id of new Set([...live.incidents.keys(), ...again.incidents.keys()])) {
    findings.equal("incident", id, plain(live.incidents.get(id)), plain(again.incidents.get(id)));
    findings.equal("members", id, live.members(id), again.members(id));
    findings.equal("timeline", id, storyOf(live, id), storyOf(again, id));
  }
  for (const id of new Set([...live.deadLetters.keys(), ...again.deadLetters.keys()]))
    findings.equal("dead letter", id, live.deadLetters.get(id), again.deadLetters.get(id));
  for (let partition = 0; partition < partitions; partition += 1)
    findings.equal("commit", `C.${partition}`, live.meta(partition), again.meta(partition));
}

/** The story as B and C tell it, without the router's lines in between. */
function storyOf(tables: IncidentTables, id: string): unknown[] {
  return tables
    .timeline(id)
    .filter(({ kind, reason }) => kind !== "delivery" || reason.code === "routed" || reason.code === "no_route")
    .map(({ seq: _seq, ...entry }) => entry);
}

function oneTicketEach(cluster: Cluster, findings: Findings): void {
  const { incidents, vendor } = cluster;
  const wanted = new Set<string>();
  for (const row of incidents.deliveries.rows()) {
    const key = `winnow:${deploymentId}:${row.incident_id}:${row.destination}:${row.generation}`;
    wanted.add(key);
    const tickets = vendor.byKey(key);
    if (tickets.length !== 1) findings.add("tickets", `${tickets.length} for ${key}`);
    const ticket = tickets[0];
    if (ticket === undefined) continue;
    const inOrder = ticket.notes.every((seq, at) => at === 0 || seq > (ticket.notes[at - 1] ?? 0));
    if (!inOrder) findings.add("notes", `of ${key} are doubled or out of order: ${ticket.notes.join(" ")}`);
    if (ticket.closed) continue;
    const resolved = incidents.incident(row.incident_id)?.snapshot.state === "resolved";
    findings.equal("ticket state", `${key} resolved`, ticket.resolved, resolved);
    const story = incidents
      .timeline(row.incident_id)
      .filter(({ kind, seq }) => kind !== "delivery" && seq <= row.applied_seq);
    findings.equal(
      "notes",
      key,
      ticket.notes,
      story.map(({ seq }) => seq),
    );
    if (row.applied_version < row.desired_version) findings.add("behind", key);
  }
  for (const { key } of vendor.tickets.values())
    if (!wanted.has(key)) findings.add("tickets", `none is wanted for ${key}`);
  for (const row of incidents.incidents.values()) {
    const sent = incidents.deliveries.rows().some((delivery) => delivery.incident_id === row.snapshot.incident_id);
    findings.equal("tickets", `wanted for ${row.snapshot.incident_id}`, sent, row.destinations.length > 0);
  }
}

/** accepted = sum of outcomes + in flight, and at rest nothing is in flight. */
function accountingExact(cluster: Cluster, findings: Findings): void {
  const of = (stage: "A" | "B") =>
    Array.from({ length: partitions }, (_, partition) => cluster.windows.meta({ stage, partition }));
  const metas = [...of("A"), ...of("B")].filter((meta) => meta !== null);
  const total = (count: (meta: CommitMeta) => number) => metas.reduce((sum, meta) => sum + count(meta), 0);
  const settled = total((meta) => Object.values(meta.outcomes).reduce((sum, count) => sum + count, 0));
  const inFlight = acceptedEvents(cluster) - total((meta) => meta.seen) + total((meta) => meta.passed - meta.settled);
  findings.equal("accounting", "in flight at rest", inFlight, 0);
  findings.equal("accounting", "settled", settled, acceptedEvents(cluster));
}

/** Events of the alerts log; a record that was shipped twice counts once. */
function acceptedEvents(cluster: Cluster): number {
  let events = 0;
  for (const file of cluster.disk.files("alerts")) {
    if (!cluster.options.scaleOut) {
      events += file.status().events;
      continue;
    }
    const seen = new Set<string>();
    for (const { value, events: count } of file.records) {
      if (value.kind !== "events" || seen.has(`${value.receiver_id} ${value.seq}`)) continue;
      seen.add(`${value.receiver_id} ${value.seq}`);
      events += count;
    }
  }
  return events;
}

/** "Why this rule" recomputed from the stored alert and the stored rule set is what was decided live. */
function sameReasons(incidents: IncidentTables, findings: Findings): void {
  for (const id of incidents.incidents.keys())
    for (const { reason, alert, fingerprint } of incidents.members(id)) {
      const rules = reason.rule_digest === undefined ? undefined : ruleSets.get(reason.rule_digest);
      if (rules === undefined) continue;
      const match = rules.match(alert);
      findings.equal("reason", `${id} ${fingerprint}`, reason.rule_id, match.rule.id);
      const key = match.groupKey.map((part) => `${part.k}=${part.v}`);
      findings.equal("reason", `${id} ${fingerprint} group`, reason.evidence?.["group_key"], key);
    }
}
