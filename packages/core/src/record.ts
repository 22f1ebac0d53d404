import {
  type ActionRecord,
  type DeadLetterAction,
  type DeadLetterNote,
  type IncidentEvent,
  type IncidentMember,
  type IncidentSnapshot,
  type OutputBody,
  type Priority,
  reason,
  type TimelineEntry,
} from "@winnow/contracts";
import type { CompiledRuleSet } from "./compiled-rules.ts";
import { engineLimits } from "./limits.ts";

/** What the record keeps of an incident: B's snapshot, the destinations chosen so far, what was applied. */
export interface IncidentRecord {
  readonly snapshot: IncidentSnapshot;
  readonly destinations: readonly string[];
  readonly timeline_seq: number;
  readonly action_ids: readonly string[];
}

/** One ticket that should show `desired_version`. */
export interface Wish {
  readonly incident_id: string;
  readonly destination: string;
  readonly desired_version: number;
  readonly priority: Priority;
  readonly urgent: boolean;
  readonly at_ms: number;
}

/** What stage C writes for one input. */
export interface RecordDecision {
  readonly incident: IncidentRecord | null;
  readonly members: readonly IncidentMember[];
  readonly timeline: readonly (TimelineEntry & { readonly seq: number })[];
  readonly wishes: readonly Wish[];
  readonly deadLetter: DeadLetterNote | null;
  readonly deadLetterChange: { readonly id: string; readonly state: "retried" | "discarded" } | null;
}

const nothing: RecordDecision = {
  incident: null,
  members: [],
  timeline: [],
  wishes: [],
  deadLetter: null,
  deadLetterChange: null,
};

/** Id of the incident that an input speaks of, or null. */
export function incidentIdOf(body: OutputBody): string | null {
  if (body.type === "incident") return body.incident.incident_id;
  return body.type === "action" ? body.incident_id : null;
}

/** Digest of the rule set that routes this input, or null when none is needed. */
export function routingDigestOf(body: OutputBody): string | null {
  return body.type === "incident" ? body.incident.rule_set_digest : null;
}

/**
 * Stage C, pure: incident, timeline, members and desired deliveries of one input.
 * `rules` is the compiled set that `routingDigestOf` named.
 */
export function decideRecord(
  body: OutputBody,
  known: IncidentRecord | undefined,
  rules: CompiledRuleSet | null,
): RecordDecision {
  switch (body.type) {
    case "incident":
      return recordIncident(body, known, rules);
    case "action":
      return recordLateAction(body, known);
    case "dead_letter":
      return { ...nothing, deadLetter: body };
    case "dead_letter_action":
      return { ...nothing, deadLetterChange: { id: body.id, state: afterAction(body) } };
    case "transition":
      throw new Error("a transition never reaches stage C");
  }
}

function afterAction(action: DeadLetterAction): "retried" | "discarded" {
  return action.action === "retry" ? "retried" : "discarded";
}

function recordIncident(
  event: IncidentEvent,
  known: IncidentRecord | undefined,
  rules: CompiledRuleSet | null,
): RecordDecision {
  const snapshot = event.incident;
  const chosen = snapshot.released && rules !== null ? routesOf(snapshot, rules) : [];
  const before = known?.destinations ?? [];
  const added = chosen.filter((destination) => !before.includes(destination));
  const destinations = [...before, ...added];
  const lines = [...event.timeline, ...routingLines(event, before, added)];
  const seq = known?.timeline_seq ?? 0;
  const incident: IncidentRecord = {
    snapshot,
    destinations,
    timeline_seq: seq + lines.length,
    action_ids: remembered(known?.action_ids ?? [], event.action_id),
  };
  return {
    ...nothing,
    incident,
    members: event.members,
    timeline: lines.map((line, at) => ({ ...line, seq: seq + at + 1 })),
    wishes: wishesOf(event, destinations, added),
  };
}

function routesOf(snapshot: IncidentSnapshot, rules: CompiledRuleSet): readonly string[] {
  return rules.routes({
    priority: snapshot.priority,
    severity: snapshot.severity,
    service: snapshot.service,
    environment: snapshot.environment,
    category: snapshot.category,
    assignment_group: snapshot.assignment_group,
    rule_id: snapshot.rule.id,
    title: snapshot.title,
  });
}

function routingLines(event: IncidentEvent, before: readonly string[], added: readonly string[]): TimelineEntry[] {
  const snapshot = event.incident;
  const line = (why: TimelineEntry["reason"]): TimelineEntry => ({
    kind: "delivery",
    at_ms: event.at_ms,
    actor: "winnow",
    reason: why,
  });
  if (added.length > 0) return [line(reason("routed", { destinations: [...added], priority: snapshot.priority }))];
  const justReleased = event.timeline.some((entry) => entry.kind === "released" || entry.kind === "opened");
  return snapshot.released && before.length === 0 && justReleased ? [line(reason("no_route"))] : [];
}

function wishesOf(event: IncidentEvent, destinations: readonly string[], added: readonly string[]): Wish[] {
  const snapshot = event.incident;
  if (!snapshot.released) return [];
  const wanted = event.notable ? destinations : added;
  return wanted.map((destination) => ({
    incident_id: snapshot.incident_id,
    destination,
    desired_version: snapshot.version,
    priority: snapshot.priority,
    urgent: event.urgent || added.includes(destination),
    at_ms: event.at_ms,
  }));
}

function remembered(ids: readonly string[], id: string | undefined): readonly string[] {
  return id === undefined ? ids : [...ids, id].slice(-engineLimits.actionIdsMax);
}

/** An action for an incident that B has forgotten: it is kept as a line of its story. */
function recordLateAction(action: ActionRecord, known: IncidentRecord | undefined): RecordDecision {
  if (known === undefined || known.action_ids.includes(action.action_id)) return nothing;
  const noted = action.action === "note";
  const line: TimelineEntry = {
    kind: noted ? "noted" : "action_refused",
    at_ms: action.at_ms,
    actor: action.actor,
    ...(action.text === "" ? {} : { text: action.text }),
    reason: noted
      ? reason("person_noted", { person: action.actor })
      : reason("action_refused", { action: action.action, state: known.snapshot.state }),
  };
  const snapshot = { ...known.snapshot, version: known.snapshot.version + 1 };
  const incident: IncidentRecord = {
    ...known,
    snapshot,
    timeline_seq: known.timeline_seq + 1,
    action_ids: remembered(known.action_ids, action.action_id),
  };
  const wishes = known.destinations.map((destination) => ({
    incident_id: snapshot.incident_id,
    destination,
    desired_version: snapshot.version,
    priority: snapshot.priority,
    urgent: false,
    at_ms: action.at_ms,
  }));
  return { ...nothing, incident, timeline: [{ ...line, seq: incident.timeline_seq }], wishes };
}
