import {
  type ActionRecord,
  type DeadLetterAction,
  type DeadLetterNote,
  type IncidentEvent,
  type LogValue,
  type TimelineEntry,
  type Transition,
} from "@winnow/contracts";
import { deadLetterOf } from "./dead-letter.ts";
import { applyAction } from "./incident-actions.ts";
import { IncidentChange } from "./incident-change.ts";
import {
  type GroupState,
  type IncidentState,
  incidentKey,
  type MemberState,
  memberKey,
  putGroup,
} from "./incident-state.ts";
import { fireIncident } from "./incident-timers.ts";
import { engineLimits } from "./limits.ts";
import { placeAlert } from "./placement.ts";
import { type Decision, type DecisionContext, Draft, type Emission, type Read, type Stage } from "./stage.ts";

export type CorrelateItem = Transition | DeadLetterNote | ActionRecord | DeadLetterAction;

/** Stage B: which incident does a transition belong to, and what does it make of it? */
export const correlateStage: Stage<CorrelateItem> = {
  id: "B",
  input: "transitions",
  items: itemsOf,
  prefetch: (item) => (item.type === "transition" ? [memberKey(item.fingerprint)] : []),
  keepsInMemory: () => true,
  accountable: (item) => item.type === "transition" && item.settles,
  decide: decideItem,
  fire,
  tick: (_record, read, context) => new Draft(read, context).settled(null),
  coalesce,
  bury: (item, error, context) => {
    const draft = new Draft(() => undefined, context);
    const letter = deadLetterOf(item, error, context);
    draft.emit("incident-events", letter.id, letter);
    const settles = typeof item !== "string" && item.type === "transition" && item.settles;
    return draft.settled(settles ? "dead_letter" : null);
  },
};

function itemsOf(value: LogValue): readonly CorrelateItem[] {
  if (value.kind === "outputs")
    return value.items.map((item) => item.body).filter((body): body is CorrelateItem => body.type !== "incident");
  return value.kind === "actions" ? value.items : [];
}

function decideItem(item: CorrelateItem, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  switch (item.type) {
    case "transition":
      return decideTransition(item, draft);
    case "action":
      return applyAction(item, draft);
    default:
      draft.emit("incident-events", item.id, item);
      return draft.settled(null);
  }
}

function decideTransition(transition: Transition, draft: Draft): Decision {
  const member = draft.get<MemberState>(memberKey(transition.fingerprint));
  const outcome = decideChange(transition, member, draft);
  return draft.settled(transition.settles ? outcome : null);
}

type Ending = "opened" | "joined" | "updated" | "resolved" | "pending" | "outdated";

function decideChange(transition: Transition, member: MemberState | undefined, draft: Draft): Ending {
  if (transition.change === "fired") return placeAlert(transition, member, draft);
  if (member === undefined || member.episodeId !== transition.episode.id)
    return transition.change === "resolved" ? "outdated" : placeIfFiring(transition, member, draft);
  if (member.waitingIn !== null) return updateWaiting(transition, member, member.waitingIn, draft);
  return updateMember(transition, member, draft);
}

/** A change of an alert whose membership was forgotten: it still fires, so it finds its place anew. */
function placeIfFiring(transition: Transition, member: MemberState | undefined, draft: Draft): Ending {
  if (transition.change === "severity_changed") return placeAlert(transition, member, draft);
  return "updated";
}

/** A change of an alert that waits below min_alerts. */
function updateWaiting(transition: Transition, member: MemberState, key: string, draft: Draft): Ending {
  const group = draft.get<GroupState>(key);
  const others = (group?.waiting ?? []).filter((waiting) => waiting.fingerprint !== transition.fingerprint);
  if (transition.change === "resolved") {
    putGroup(draft, key, {
      incidentId: group?.incidentId ?? null,
      waiting: others,
      waitUntil: group?.waitUntil ?? null,
    });
    draft.drop(memberKey(transition.fingerprint));
    return "resolved";
  }
  if (transition.change === "severity_changed") {
    const waiting = [...others, { ...transition, change: "fired" as const }];
    putGroup(draft, key, { incidentId: group?.incidentId ?? null, waiting, waitUntil: group?.waitUntil ?? null });
    draft.put(memberKey(transition.fingerprint), { ...member, severity: transition.severity }, null);
  }
  return "updated";
}

function updateMember(transition: Transition, member: MemberState, draft: Draft): Ending {
  const state = draft.get<IncidentState>(incidentKey(member.incidentId ?? ""));
  if (state === undefined)
    return transition.change === "resolved"
      ? forgetMember(transition, draft)
      : placeIfFiring(transition, member, draft);
  if (transition.change === "resolved") return resolveMember(transition, member, state, draft);
  if (transition.change === "severity_changed" && state.snapshot.state === "resolved")
    return placeAlert(transition, member, draft);
  const change = new IncidentChange(state, draft);
  if (transition.change === "severity_changed") change.memberSeverity(transition, member);
  else change.memberRemark(transition, member);
  change.finish({ notable: transition.change !== "stale", urgent: false });
  return "updated";
}

function forgetMember(transition: Transition, draft: Draft): Ending {
  draft.drop(memberKey(transition.fingerprint));
  return "resolved";
}

function resolveMember(transition: Transition, member: MemberState, state: IncidentState, draft: Draft): Ending {
  if (member.status === "resolved") return "outdated";
  const change = new IncidentChange(state, draft);
  change.memberResolved(transition, member);
  change.settleOpenMembers();
  change.finish({ notable: true, urgent: false });
  return "resolved";
}

/** The waiting time is over: what did not find company is let go. */
function fireGroup(key: string, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  const group = draft.get<GroupState>(key);
  if (group === undefined) return draft.settled(null);
  for (const waiting of group.waiting) draft.drop(memberKey(waiting.fingerprint));
  putGroup(draft, key, { incidentId: group.incidentId, waiting: [], waitUntil: null });
  return draft.settled(null);
}

/** A resolved member is forgotten once its incident is. */
function fireMember(key: string, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  const member = draft.get<MemberState>(key);
  const incident = member === undefined ? undefined : draft.get<IncidentState>(incidentKey(member.incidentId ?? ""));
  if (member === undefined || incident === undefined) draft.drop(key);
  else draft.put(key, member, context.now + engineLimits.memberMemoryMs);
  return draft.settled(null);
}

function fire(key: string, read: Read, context: DecisionContext): Decision {
  if (key.startsWith("i:")) return fireIncident(key, read, context);
  return key.startsWith("m:") ? fireMember(key, read, context) : fireGroup(key, read, context);
}

/** Joins events of one incident that a record emitted one after another: the last snapshot, all members and lines. */
function coalesce(emissions: readonly Emission[]): readonly Emission[] {
  const joined: Emission[] = [];
  const open = new Map<string, number>();
  for (const emission of emissions) {
    const body = emission.body;
    if (body.type !== "incident" || body.action_id !== undefined) {
      if (body.type === "incident") open.delete(body.incident.incident_id);
      joined.push(emission);
      continue;
    }
    const at = open.get(body.incident.incident_id);
    const before = at === undefined ? undefined : (joined[at]?.body as IncidentEvent);
    if (at === undefined || before === undefined || !canJoin(before, body)) {
      open.set(body.incident.incident_id, joined.length);
      joined.push(emission);
      continue;
    }
    joined[at] = { ...emission, body: mergeEvents(before, body) };
  }
  return joined;
}

/** What routes look at must stay as it was: else a destination that only the first event reaches would be lost. */
function canJoin(before: IncidentEvent, after: IncidentEvent): boolean {
  if (before.members.length + after.members.length > engineLimits.membersPerEventMax) return false;
  const { released, priority, severity } = before.incident;
  return !released || (priority === after.incident.priority && severity === after.incident.severity);
}

function mergeEvents(before: IncidentEvent, after: IncidentEvent): IncidentEvent {
  return {
    ...after,
    notable: before.notable || after.notable,
    urgent: before.urgent || after.urgent,
    members: [...before.members, ...after.members],
    timeline: joinLines(before.timeline, after.timeline),
  };
}

/** Alerts of one record that join by the same rule are one line of the story, with their number; each member keeps its own reason. */
function joinLines(before: TimelineEntry[], after: TimelineEntry[]): TimelineEntry[] {
  const [first, ...rest] = after;
  const last = before.at(-1);
  const joins = last?.kind === "joined" && first?.kind === "joined" && last.at_ms === first.at_ms;
  if (!joins || last.reason.rule_id !== first.reason.rule_id) return [...before, ...after];
  const count = Number(last.reason.evidence?.["alerts"] ?? 1) + 1;
  const joined = { ...last, reason: { ...last.reason, evidence: { ...last.reason.evidence, alerts: count } } };
  return [...before.slice(0, -1), joined, ...rest];
}
