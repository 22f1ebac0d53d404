import {
  type IncidentSnapshot,
  type KeyPart,
  type Rule,
  reason,
  type Transition,
  type WindowSettings,
} from "@winnow/contracts";
import type { RuleMatch } from "./compiled-rules.ts";
import { flatText } from "./flat-text.ts";
import { IncidentChange } from "./incident-change.ts";
import {
  counterKey,
  type GroupState,
  groupKeyOf,
  type IncidentState,
  incidentKey,
  type MemberState,
  memberKey,
  putGroup,
} from "./incident-state.ts";
import { engineLimits } from "./limits.ts";
import type { DecisionContext, Draft } from "./stage.ts";
import { renderTitle } from "./template.ts";

/** Length-prefixed text of a group: no two groups share it. */
function groupDigest(scope: string, rule: Rule, key: readonly KeyPart[], context: DecisionContext): string {
  const parts = [scope, rule.id, ...key.flatMap((part) => [part.k, part.v])];
  return context.hash(parts.map((part) => `${part.length}:${part}`).join("")).slice(0, 32);
}

/** Finds the incident for a firing alert: joins, reopens, waits below min_alerts, or opens a new one. */
export function placeAlert(
  transition: Transition,
  member: MemberState | undefined,
  draft: Draft,
): "opened" | "joined" | "pending" {
  const { context } = draft;
  const waitedIn = member?.waitingIn ?? null;
  if (waitedIn !== null) leaveWaiting(transition, waitedIn, draft);
  const match = context.rules.match(transition.alert);
  const key = groupKeyOf(groupDigest(transition.alert.scope, match.rule, match.groupKey, context));
  const group = draft.get<GroupState>(key);
  const currentId = group?.incidentId ?? null;
  const current = currentId === null ? undefined : draft.get<IncidentState>(incidentKey(currentId));
  const entry = current === undefined ? null : entryInto(current, transition, member, context.now);
  if (member !== undefined && (entry === null || member.incidentId !== current?.snapshot.incident_id))
    leaveIncident(transition, member, draft);
  if (current !== undefined && entry !== null) {
    join(current, entry, { transition, member, match }, draft);
    return "joined";
  }
  return gather({ key, group, previous: current }, { transition, member, match }, draft);
}

/** An alert that finds a place no longer waits where it waited. */
function leaveWaiting(transition: Transition, key: string, draft: Draft): void {
  const group = draft.get<GroupState>(key);
  if (group === undefined) return;
  const waiting = group.waiting.filter((other) => other.fingerprint !== transition.fingerprint);
  putGroup(draft, key, { ...group, waiting });
}

/** A firing member that moves to another incident must not keep its former one open. */
function leaveIncident(transition: Transition, member: MemberState, draft: Draft): void {
  if (member.incidentId === null || member.status !== "firing") return;
  const former = draft.get<IncidentState>(incidentKey(member.incidentId));
  if (former === undefined) return;
  const change = new IncidentChange(former, draft);
  change.memberMoved(transition, member);
  change.settleOpenMembers();
  change.finish({ notable: true, urgent: false });
}

/** How an incident can take one more alert now; null = it cannot. */
function entryInto(
  state: IncidentState,
  transition: Transition,
  member: MemberState | undefined,
  now: number,
): "join" | "reopen" | null {
  const { snapshot, window } = state;
  const isMember = member?.incidentId === snapshot.incident_id;
  if (!isMember && snapshot.member_count >= window.max_alerts) return null;
  if (snapshot.state === "resolved") {
    const resolved = snapshot.resolved_ms ?? snapshot.last_event_ms;
    return window.reopen_ms > 0 && now <= resolved + window.reopen_ms ? "reopen" : null;
  }
  if (isMember && member.status === "firing" && transition.change === "severity_changed") return "join";
  return now <= windowEnd(snapshot, window) ? "join" : null;
}

/** Until when an open incident takes new alerts; epoch ms. */
function windowEnd(snapshot: IncidentSnapshot, window: WindowSettings): number {
  const oldest = snapshot.opened_ms + window.max_age_ms;
  if (window.type === "fixed") return Math.min(oldest, snapshot.opened_ms + (window.length_ms ?? 0));
  if (window.type === "rolling") return Math.min(oldest, snapshot.last_event_ms + (window.gap_ms ?? 0));
  return oldest;
}

function join(state: IncidentState, entry: "join" | "reopen", arrival: Arrival, draft: Draft): void {
  const { context } = draft;
  const { transition, member, match } = arrival;
  const change = new IncidentChange(state, draft);
  const rule = { id: match.rule.id, digest: context.rules.digest };
  const evidence = evidenceOf(transition, match);
  if (entry === "reopen") change.reopen(reason("rule_reopened", evidence, rule));
  const why = reason(entry === "reopen" ? "rule_reopened" : "rule_joined", evidence, rule);
  change.memberFires(transition, member, why);
  if (entry === "join") change.tell("joined", why, { fingerprint: transition.fingerprint });
  change.settleOpenMembers();
  change.finish({ notable: true, urgent: false });
}

function evidenceOf(transition: Transition, match: RuleMatch) {
  return {
    alert: transition.alert.title,
    group_key: match.groupKey.map((part) => flatText([part.k, part.v], "=")),
    ...(match.missing.length === 0 ? {} : { missing: [...match.missing] }),
  };
}

/** A firing alert with its rule and group, on its way to an incident. */
interface Arrival {
  readonly transition: Transition;
  readonly member: MemberState | undefined;
  readonly match: RuleMatch;
}

/** No incident takes it: open one, unless the group is still too small. */
function gather(
  place: { key: string; group: GroupState | undefined; previous: IncidentState | undefined },
  arrival: Arrival,
  draft: Draft,
): "opened" | "pending" {
  const { context } = draft;
  const { transition, match } = arrival;
  const { key, group, previous } = place;
  const horizon = context.now - waitingTime(match.rule);
  const others = (group?.waiting ?? []).filter(
    (waiting) => waiting.at_ms >= horizon && waiting.fingerprint !== transition.fingerprint,
  );
  for (const gone of (group?.waiting ?? []).filter((waiting) => waiting.at_ms < horizon))
    draft.drop(memberKey(gone.fingerprint));
  const waiting = [...others, { ...transition, change: "fired" as const }];
  if (waiting.length >= match.rule.min_alerts) {
    open({ key, previous, founders: waiting }, arrival, draft);
    return "opened";
  }
  putGroup(draft, key, {
    incidentId: group?.incidentId ?? null,
    waiting: waiting.slice(-engineLimits.pendingMax),
    waitUntil: context.now + waitingTime(match.rule),
  });
  draft.put(
    memberKey(transition.fingerprint),
    {
      incidentId: null,
      waitingIn: key,
      episodeId: transition.episode.id,
      status: "firing",
      severity: transition.severity,
      joined: context.now,
    } satisfies MemberState,
    null,
  );
  return "pending";
}

/** How long an alert below min_alerts waits for company. */
function waitingTime(rule: Rule): number {
  return rule.window.length_ms ?? rule.window.gap_ms ?? rule.window.max_age_ms;
}

function open(
  birth: { key: string; previous: IncidentState | undefined; founders: readonly Transition[] },
  arrival: Arrival,
  draft: Draft,
): void {
  const { context } = draft;
  const { transition, match } = arrival;
  const { key, previous, founders } = birth;
  const { partition, offset, index } = context.origin;
  const seed = `${key} ${partition} ${offset} ${index} ${draft.emissions.length}`;
  const id = `inc_${context.hash(seed).slice(0, 20)}`;
  const number = nextNumber(transition.alert.scope, draft);
  const born = { id, number, group: key, previousId: previous?.snapshot.incident_id ?? null };
  const state = bornIncident(born, founders[0] ?? transition, match, context);
  const change = new IncidentChange(state, draft);
  const rule = { id: match.rule.id, digest: context.rules.digest };
  const code = founders.length > 1 ? "threshold_reached" : "rule_opened";
  const why = reason(code, evidenceOf(transition, match), rule);
  change.tell("opened", why, { fingerprint: transition.fingerprint });
  for (const founder of founders) change.memberFires(founder, undefined, why);
  change.finish({ notable: true, urgent: true });
  putGroup(draft, key, { incidentId: id, waiting: [], waitUntil: null });
}

function nextNumber(scope: string, draft: Draft): number {
  const number = (draft.get<number>(counterKey(scope)) ?? 0) + 1;
  draft.put(counterKey(scope), number, null);
  return number;
}

function bornIncident(
  born: { id: string; number: number; group: string; previousId: string | null },
  first: Transition,
  match: RuleMatch,
  context: DecisionContext,
): IncidentState {
  const facts = first.alert;
  const { rule } = match;
  const template = rule.incident;
  return {
    snapshot: {
      incident_id: born.id,
      number: born.number,
      tenant: facts.tenant,
      scope: facts.scope,
      version: 0,
      state: "new",
      released: false,
      self_healed: false,
      rule: { id: rule.id, digest: context.rules.digest },
      rule_generation: context.ruleGeneration,
      rule_set_digest: context.rules.digest,
      group_key: [...match.groupKey],
      title: renderTitle(template.title, facts),
      description: facts.description ?? "",
      category: template.category ?? facts.hints?.category ?? null,
      service: template.service ?? facts.service ?? null,
      environment: facts.environment ?? null,
      assignment_group: template.assignment_group ?? facts.hints?.assignment_group ?? null,
      contact: template.contact,
      severity: "unknown",
      impact: "medium",
      urgency: "medium",
      priority: "P5",
      priority_inputs: {
        impact: "medium",
        impact_from: "default",
        urgency: "medium",
        urgency_from: "default",
        severity: "unknown",
        open_members: 0,
      },
      opened_ms: context.now,
      last_event_ms: context.now,
      acknowledged_ms: null,
      resolved_ms: null,
      member_count: 0,
      open_member_count: 0,
      event_count: 0,
      previous_id: born.previousId,
    },
    group: born.group,
    window: rule.window,
    holdMs: rule.hold_ms,
    resolveDelayMs: rule.resolve_delay_ms,
    impactByRule: template.impact,
    urgencyByRule: template.urgency,
    impactHint: facts.hints?.impact ?? null,
    openBySeverity: {},
    hosts: [],
    services: [],
    heldFrom: context.now,
    holdUntil: null,
    resolveDue: null,
    forgetAt: null,
    actionIds: [],
  };
}
