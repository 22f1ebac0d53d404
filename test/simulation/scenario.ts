import { hash as digest } from "node:crypto";
import {
  type ActionRecord,
  type AlertEvent,
  type DeadLetterAction,
  type DeadLetterNote,
  type Rule,
  type RuleSet,
} from "@winnow/contracts";
import { type CompiledRuleSet, partitionOf } from "@winnow/core";
import { catchAllRule, compileRuleSet, parseRules } from "@winnow/rules";
import { Random, type ReceivedItem } from "@winnow/testkit";

export const partitions = 4;
export const startMs = 1_790_000_000_000;
/** Until when senders send and things go wrong, ms after the start. */
export const troubleMs = 30_000;
/** A short run for the enumeration, where every operation is a case. */
const briefMs = 14_000;

export const sha256 = (text: string): string => digest("sha256", text);

/** One delivery of a sender, sent again and again until it is acknowledged. */
interface Delivery {
  readonly atMs: number;
  readonly items: readonly ReceivedItem[];
}

/** What a person does to some incident that exists by then. */
export interface PlannedAction {
  readonly atMs: number;
  readonly id: string;
  readonly action: ActionRecord["action"] | DeadLetterAction["action"];
  readonly pick: number;
}

export interface Activation {
  readonly atMs: number;
  readonly set: CompiledRuleSet;
}

export interface Scenario {
  readonly deliveries: readonly Delivery[];
  readonly actions: readonly PlannedAction[];
  readonly activations: readonly Activation[];
  readonly untilMs: number;
}

/** Alerts with this label cannot be decided: A, its timers, or B throw. */
export const poisonLabel = "poison";

interface Alert {
  readonly name: string;
  readonly fingerprint: string;
  readonly scope: string;
  readonly service: string;
  readonly team: string;
  readonly integration: string;
  readonly host: string;
  readonly expiresMs: number | null;
  readonly poison: string | null;
}

/** Scopes of different partitions, so that B has work in several. */
function scopesApart(count: number): string[] {
  const found = new Map<number, string>();
  for (let n = 0; found.size < count; n += 1) {
    const scope = `scope-${n}`;
    const partition = partitionOf(scope, partitions);
    if (!found.has(partition)) found.set(partition, scope);
  }
  return [...found.values()];
}

const scopes = scopesApart(3);
const teams = ["a", "a", "b", "b", "b", "c", "c", "d", "a", "c", "d"] as const;
/** Where each kind of poison takes effect, by the number of the alert. */
const poisons: Readonly<Record<number, string>> = { 8: "b", 9: "timer", 10: "a" };

const alerts: readonly Alert[] = teams.map((team, n) => ({
  name: `alert ${n}`,
  fingerprint: sha256(`alert ${n}`).slice(0, 32),
  scope: scopes[n % 3] ?? "",
  service: n === 7 ? "quiet" : `service-${n % 4}`,
  team,
  integration: n % 2 === 0 ? "even" : "odd",
  host: `host-${n}`,
  expiresMs: n % 3 === 0 ? 6_000 : null,
  poison: poisons[n] ?? null,
}));
// The alerts below min_alerts have to meet in one scope.
const together = scopes[0] ?? "";
const catalogue = alerts.map((alert) =>
  alert.team === "b" ? { ...alert, scope: together, service: "crowd", expiresMs: null } : alert,
);

function eventOf(alert: Alert, id: string, said: Partial<AlertEvent>): AlertEvent {
  return {
    spec: "winnow.alert/1",
    event_id: id,
    delivery_id: id,
    tenant: "default",
    scope: alert.scope,
    source: "simulation",
    integration: alert.integration,
    fingerprint: alert.fingerprint,
    received_ms: 0,
    kind: "alert",
    action: "fire",
    status: "firing",
    severity: "warning",
    title: alert.name,
    identity: [{ k: "name", v: alert.name }],
    dedup_key: alert.name,
    service: alert.service,
    host: alert.host,
    labels: { team: [alert.team], ...(alert.poison === null ? {} : { [poisonLabel]: [alert.poison] }) },
    annotations: {},
    links: [],
    time_quality: "exact",
    mapping: { parser: "simulation", version: 1 },
    ...said,
  };
}

/** A message about alert `number` of the catalogue. */
export function messageOf(number: number, id: string, said: Partial<AlertEvent>): AlertEvent {
  const alert = catalogue[number];
  if (alert === undefined) throw new Error(`no alert ${number}`);
  return eventOf(alert, id, said);
}

function undecodable(id: string): DeadLetterNote {
  const text = `undecodable ${id}`;
  return {
    type: "dead_letter",
    id: `dl_${sha256(text).slice(0, 24)}`,
    received_ms: 0,
    integration: "even",
    reason: { code: "undecodable", text },
    raw_base64: Buffer.from(text).toString("base64"),
    bytes: text.length,
    sha256: sha256(text),
  };
}

/** Proof of life: lets stale alerts of both integrations expire. */
export function heartbeats(id: string): ReceivedItem[] {
  return catalogue.slice(0, 2).map((alert) => eventOf(alert, `${id}-${alert.integration}`, { kind: "heartbeat" }));
}

const severities = ["critical", "error", "warning", "warning", "info"] as const;

function itemOf(random: Random, id: string, atMs: number): ReceivedItem {
  const draw = random.next();
  if (draw < 0.02) return undecodable(id);
  const alert = random.pick(catalogue as [Alert, ...Alert[]]);
  if (draw < 0.04) return eventOf(alert, id, { kind: random.pick(["heartbeat", "test", "change"]) });
  const now = startMs + atMs;
  const expires = alert.expiresMs === null ? {} : { expires_ms: now + alert.expiresMs };
  // Some messages were long under way, and come out of order.
  const occurred = random.chance(0.6)
    ? { occurred_ms: now - (random.chance(0.25) ? random.between(1, 9_000) : 0) }
    : {};
  const episode = random.chance(0.2) ? { episode_id: `e${random.between(1, 3)}`, started_ms: now - 100 } : {};
  const said = { ...expires, ...occurred, ...episode };
  if (draw < 0.1) return eventOf(alert, id, { ...said, action: "acknowledge" });
  if (draw < 0.14) return eventOf(alert, id, { ...said, action: "comment", description: `comment ${id}` });
  if (draw < 0.45) return eventOf(alert, id, { ...said, action: "resolve", status: "resolved" });
  return eventOf(alert, id, { ...said, severity: random.pick(severities) });
}

function deliveriesOf(random: Random, span: Span): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let n = 0; n < span.deliveries; n += 1) {
    const atMs = random.between(0, span.ms - 4_000);
    const earlier = deliveries.at(-1);
    if (earlier !== undefined && random.chance(0.1)) {
      // The sender says the same again.
      deliveries.push({ atMs: Math.max(atMs, earlier.atMs), items: earlier.items });
      continue;
    }
    const items = Array.from({ length: random.between(1, 4) }, (_, at) => itemOf(random, `d${n}-${at}`, atMs));
    deliveries.push({ atMs, items });
  }
  return deliveries;
}

function ruleOf(id: string, team: string, more: Partial<Rule>): Rule {
  const hold = more.hold_ms ?? catchAllRule.hold_ms;
  const match = [{ field: "labels.team", op: "eq" as const, negate: false, values: [team] }];
  return { ...catchAllRule, id, match, ...more, hold_ms: hold };
}

function holdMs(ms: number): Rule["hold_ms"] {
  return { P1: 0, P2: ms, P3: ms, P4: ms, P5: ms };
}

const window = { ...catchAllRule.window, reopen_ms: 8_000 };

function ruleSet(rules: readonly Rule[]): CompiledRuleSet {
  const empty = parseRules("rules: []", "(simulation)");
  if (!empty.ok) throw new Error("the empty list of rules is valid");
  const last: Rule = { ...catchAllRule, hold_ms: holdMs(1_000), window };
  const routes: RuleSet["routes"] = [
    { match: [{ field: "service", op: "eq", negate: false, values: ["quiet"] }], to: [], continue: false },
    { match: [], to: ["desk"], continue: false },
  ];
  return poisoned(compileRuleSet({ ...empty.ruleSet, rules: [...rules, last], routes }, { hash: sha256 }));
}

/** The rules as they are, but for one kind of alert that makes B throw. */
function poisoned(compiled: CompiledRuleSet): CompiledRuleSet {
  return {
    ...compiled,
    match: (facts) => {
      if (facts.labels[poisonLabel]?.[0] === "b") throw new TypeError("poison for B");
      return compiled.match(facts);
    },
  };
}

const usual = ruleSet([
  ruleOf("team-a", "a", { hold_ms: holdMs(2_000), resolve_delay_ms: 1_500, window }),
  ruleOf("team-b", "b", {
    min_alerts: 3,
    hold_ms: holdMs(0),
    window: { ...window, type: "fixed", length_ms: 7_000 },
  }),
  ruleOf("team-c", "c", {
    hold_ms: holdMs(500),
    window: { ...window, type: "rolling", gap_ms: 4_000, max_alerts: 2 },
  }),
]);

const eager = ruleSet([
  ruleOf("team-a", "a", { group_by: ["host"], hold_ms: holdMs(0), window }),
  ruleOf("team-b", "b", {
    min_alerts: 2,
    hold_ms: holdMs(300),
    window: { ...window, type: "fixed", length_ms: 5_000 },
  }),
]);

export const usualRules: CompiledRuleSet = usual;

/** Rule sets by digest, and what decides before the first activation. */
export const ruleSets: ReadonlyMap<string, CompiledRuleSet> = new Map([usual, eager].map((set) => [set.digest, set]));
export const initialRules: CompiledRuleSet = ruleSet([]);

function activationsOf(span: Span): Activation[] {
  return [
    { atMs: 500, set: usual },
    { atMs: span.ms * 0.3, set: eager },
    // A rollback: an old digest under a new generation.
    { atMs: span.ms * 0.55, set: usual },
  ];
}

function actionsOf(random: Random, span: Span): PlannedAction[] {
  return span.actions.map((action, n) => ({
    atMs: random.between(4_000, span.ms - 3_000),
    id: `action-${n}`,
    action,
    pick: random.between(0, 1_000),
  }));
}

interface Span {
  readonly ms: number;
  readonly deliveries: number;
  readonly actions: readonly PlannedAction["action"][];
}

const spans = {
  brief: { ms: briefMs, deliveries: 11, actions: ["ack", "note", "resolve", "retry"] },
  long: {
    ms: troubleMs,
    deliveries: 22,
    actions: ["ack", "note", "note", "resolve", "note", "ack", "retry", "discard"],
  },
} as const satisfies Record<string, Span>;

/** What is sent and done in one run; the same seed gives the same. */
export function scenarioOf(seed: number, length: keyof typeof spans): Scenario {
  const random = new Random(seed);
  const span = spans[length];
  return {
    deliveries: deliveriesOf(random, span),
    actions: actionsOf(random, span),
    activations: activationsOf(span),
    untilMs: span.ms,
  };
}
