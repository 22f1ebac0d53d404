import {
  type IncidentEvent,
  type IncidentMember,
  type IncidentSnapshot,
  type Reason,
  reason,
  type Severity,
  severities,
  type TimelineEntry,
  type Transition,
} from "@winnow/contracts";
import { type IncidentState, incidentDeadline, incidentKey, type MemberState, memberKey } from "./incident-state.ts";
import { engineLimits } from "./limits.ts";
import { assess, worstOpen } from "./priority.ts";
import type { DecisionContext, Draft } from "./stage.ts";

/** One change of one incident under way: gathers what happens, then writes state and event once. */
export class IncidentChange {
  #state: IncidentState;
  readonly #draft: Draft;
  readonly #context: DecisionContext;
  readonly #members: IncidentMember[] = [];
  readonly #timeline: TimelineEntry[] = [];

  constructor(state: IncidentState, draft: Draft) {
    this.#state = state;
    this.#draft = draft;
    this.#context = draft.context;
  }

  get snapshot(): IncidentSnapshot {
    return this.#state.snapshot;
  }

  set(changes: Partial<IncidentState>): void {
    this.#state = { ...this.#state, ...changes };
  }

  setSnapshot(changes: Partial<IncidentSnapshot>): void {
    this.#state = { ...this.#state, snapshot: { ...this.#state.snapshot, ...changes } };
  }

  tell(
    kind: TimelineEntry["kind"],
    why: Reason,
    more: { actor?: string; text?: string; fingerprint?: string; at?: number } = {},
  ): void {
    this.#timeline.push({
      kind,
      at_ms: more.at ?? this.#context.now,
      actor: more.actor ?? "winnow",
      ...(more.text === undefined ? {} : { text: more.text }),
      ...(more.fingerprint === undefined ? {} : { fingerprint: more.fingerprint }),
      reason: why,
    });
  }

  /** A firing alert becomes (or is again) a member. */
  memberFires(transition: Transition, before: MemberState | undefined, why: Reason): void {
    const known = before?.incidentId === this.snapshot.incident_id;
    const wasOpen = known && before.status === "firing";
    if (wasOpen) this.#count(before.severity, -1);
    this.#count(transition.severity, 1);
    this.setSnapshot({
      member_count: this.snapshot.member_count + (known ? 0 : 1),
      open_member_count: this.snapshot.open_member_count + (wasOpen ? 0 : 1),
    });
    this.set({
      hosts: widened(this.#state.hosts, transition.alert.host),
      services: widened(this.#state.services, transition.alert.service),
    });
    const joined = known ? before.joined : this.#context.now;
    this.#putMember(transition, "firing", { joined, resolved: null }, why);
  }

  memberResolved(transition: Transition, member: MemberState): void {
    this.#count(member.severity, -1);
    this.setSnapshot({ open_member_count: Math.max(0, this.snapshot.open_member_count - 1) });
    const why = reason("member_resolved", {
      alert: transition.alert.title,
      resolve_reason: transition.resolve_reason ?? "condition",
    });
    this.#putMember(transition, "resolved", { joined: member.joined, resolved: this.#context.now }, why);
    this.tell("member_resolved", why, {
      fingerprint: transition.fingerprint,
      ...(transition.actor === undefined ? {} : { actor: transition.actor }),
    });
  }

  /** The alert went on to another incident. */
  memberMoved(transition: Transition, member: MemberState): void {
    this.#count(member.severity, -1);
    this.setSnapshot({ open_member_count: Math.max(0, this.snapshot.open_member_count - 1) });
    const why = reason("member_moved", { alert: transition.alert.title });
    this.#putMember(transition, "resolved", { joined: member.joined, resolved: this.#context.now }, why);
    this.tell("member_resolved", why, { fingerprint: transition.fingerprint });
  }

  memberSeverity(transition: Transition, member: MemberState): void {
    if (member.status === "firing") this.#count(member.severity, -1);
    this.#count(transition.severity, 1);
    const why = reason("member_updated", {
      alert: transition.alert.title,
      from: member.severity,
      to: transition.severity,
    });
    this.#putMember(transition, "firing", { joined: member.joined, resolved: null }, why);
    this.tell("member_changed", why, { fingerprint: transition.fingerprint });
  }

  /** Flags, comments, staleness: a line in the story, no change of the member's state. */
  memberRemark(transition: Transition, member: MemberState): void {
    this.#putMember(transition, member.status, { joined: member.joined, resolved: null }, transition.reason);
    this.tell("member_changed", transition.reason, {
      fingerprint: transition.fingerprint,
      ...(transition.comment === undefined ? {} : { text: transition.comment }),
      ...(transition.actor === undefined ? {} : { actor: transition.actor }),
    });
  }

  /** With no open member left, the resolve delay starts or, when it is zero, ends the incident. */
  settleOpenMembers(): void {
    if (this.snapshot.open_member_count > 0) {
      this.set({ resolveDue: null });
      return;
    }
    if (this.snapshot.state === "resolved") return;
    if (this.#state.resolveDelayMs > 0) this.set({ resolveDue: this.#context.now + this.#state.resolveDelayMs });
    else this.resolveAll();
  }

  /** Every member has been resolved long enough. */
  resolveAll(): void {
    const healed = !this.snapshot.released;
    this.#end(healed ? reason("self_healed") : reason("all_resolved"), "winnow", undefined);
    if (healed) this.setSnapshot({ self_healed: true });
  }

  resolveByPerson(actor: string, text: string): void {
    this.#end(reason("person_resolved", { person: actor }), actor, text === "" ? undefined : text);
  }

  #end(why: Reason, actor: string, text: string | undefined): void {
    const now = this.#context.now;
    this.setSnapshot({ state: "resolved", resolved_ms: now });
    this.set({
      resolveDue: null,
      holdUntil: null,
      forgetAt: now + this.#state.window.reopen_ms + engineLimits.incidentMemoryMs,
    });
    this.tell("resolved", why, { actor, ...(text === undefined ? {} : { text }) });
  }

  reopen(why: Reason): void {
    this.setSnapshot({
      state: this.snapshot.acknowledged_ms === null ? "new" : "acknowledged",
      resolved_ms: null,
      self_healed: false,
      severity: "unknown",
    });
    this.set({ forgetAt: null, resolveDue: null, heldFrom: this.#context.now });
    this.tell("reopened", why);
  }

  /** The hold time is over: deliveries are desired from now on. */
  release(): void {
    if (this.snapshot.released) return;
    this.setSnapshot({ released: true });
    this.set({ holdUntil: null });
    this.tell("released", reason("released", { priority: this.snapshot.priority }));
  }

  /** Severity, priority and hold follow from the members; then state and event are written. */
  finish(event: { notable: boolean; urgent: boolean; actionId?: string }): void {
    const before = this.snapshot;
    const severity = worse(before.severity, worstOpen(this.#state.openBySeverity, before.severity));
    const set = this.#context.rules.set;
    this.setSnapshot({
      severity,
      ...assess(this.#state, severity, set),
      version: before.version + 1,
      event_count: before.event_count + 1,
      last_event_ms: this.#context.now,
      rule_generation: this.#context.ruleGeneration,
      rule_set_digest: this.#context.rules.digest,
    });
    const opening = before.version === 0;
    if (!opening && this.snapshot.priority !== before.priority)
      this.tell("priority_changed", reason("priority_changed", { from: before.priority, to: this.snapshot.priority }));
    this.#applyHold(opening);
    const severer = severities.indexOf(this.snapshot.severity) < severities.indexOf(before.severity);
    const stateChanged = before.state !== this.snapshot.state || before.released !== this.snapshot.released;
    this.#write({ ...event, urgent: event.urgent || severer || stateChanged || opening });
  }

  #applyHold(opening: boolean): void {
    if (this.snapshot.released || this.snapshot.state === "resolved") return;
    if (this.snapshot.open_member_count === 0) {
      // Healed, unless a member fires again within the resolve delay.
      this.set({ holdUntil: null });
      return;
    }
    const until = this.#state.heldFrom + this.#state.holdMs[this.snapshot.priority];
    if (until > this.#context.now) {
      this.set({ holdUntil: until });
      return;
    }
    this.setSnapshot({ released: true });
    this.set({ holdUntil: null });
    if (!opening) this.tell("released", reason("released", { priority: this.snapshot.priority }));
  }

  #write(event: { notable: boolean; urgent: boolean; actionId?: string }): void {
    const state = this.#state;
    this.#draft.put(incidentKey(state.snapshot.incident_id), state, incidentDeadline(state));
    const body: IncidentEvent = {
      type: "incident",
      at_ms: this.#context.now,
      incident: state.snapshot,
      notable: event.notable,
      urgent: event.urgent,
      members: this.#members,
      timeline: this.#timeline,
      ...(event.actionId === undefined ? {} : { action_id: event.actionId }),
    };
    this.#draft.emit("incident-events", state.snapshot.incident_id, body);
  }

  #count(severity: Severity, by: number): void {
    const counts = this.#state.openBySeverity;
    this.set({ openBySeverity: { ...counts, [severity]: Math.max(0, (counts[severity] ?? 0) + by) } });
  }

  #putMember(
    transition: Transition,
    status: IncidentMember["status"],
    times: { joined: number; resolved: number | null },
    why: Reason,
  ): void {
    const { joined, resolved } = times;
    this.#draft.put(
      memberKey(transition.fingerprint),
      {
        incidentId: this.snapshot.incident_id,
        waitingIn: null,
        episodeId: transition.episode.id,
        status,
        severity: transition.severity,
        joined,
      } satisfies MemberState,
      status === "resolved" ? this.#context.now + engineLimits.memberMemoryMs : null,
    );
    this.#members.push({
      fingerprint: transition.fingerprint,
      episode: transition.episode,
      status,
      severity: transition.severity,
      joined_ms: joined,
      resolved_ms: resolved,
      alert: transition.alert,
      reason: why,
    });
  }
}

/** An incident keeps the worst severity since it opened or reopened: recovery in steps must not lower its priority. */
function worse(left: Severity, right: Severity): Severity {
  return severities.indexOf(left) < severities.indexOf(right) ? left : right;
}

function widened(list: readonly string[], value: string | undefined): readonly string[] {
  if (value === undefined || list.includes(value) || list.length >= engineLimits.breadthMax) return list;
  return [...list, value];
}
