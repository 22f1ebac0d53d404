import {
  type AlertEvent,
  type DeadLetterNote,
  type EventsRecord,
  type Reason,
  type ResolveReason,
  reason,
  type TickRecord,
  type Transition,
} from "@winnow/contracts";
import {
  type AlertDetail,
  type AlertState,
  alertKey,
  detailKey,
  factsKey,
  factsOf,
  type PartitionFacts,
} from "./alert-state.ts";
import { deadLetterOf } from "./dead-letter.ts";
import { engineLimits } from "./limits.ts";
import { type Decision, type DecisionContext, Draft, type Emission, type Read, type Stage } from "./stage.ts";

type DedupItem = EventsRecord["items"][number];

/** Stage A: per fingerprint, is this message news? Only transitions go on. */
export const dedupStage: Stage<DedupItem> = {
  id: "A",
  input: "alerts",
  items: (value) => (value.kind === "events" ? value.items : []),
  prefetch: (item) => ("fingerprint" in item && item.kind === "alert" ? [alertKey(item.fingerprint)] : []),
  keepsInMemory: (key) => !key.startsWith("d:"),
  accountable: () => true,
  decide: decideItem,
  fire: fireAlert,
  tick: takeTick,
  coalesce: (emissions: readonly Emission[]) => emissions,
  bury: (item, error, context) => {
    const draft = new Draft(() => undefined, context);
    const letter = deadLetterOf(item, error, context);
    draft.emit("transitions", letter.id, letter);
    return draft.settled(typeof item === "string" ? null : "dead_letter");
  },
};

function decideItem(item: DedupItem, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  if ("type" in item) return buryNote(item, draft);
  if (item.kind !== "alert") return draft.settled("non_alert");
  const state = draft.get<AlertState>(alertKey(item.fingerprint));
  switch (item.action) {
    case "fire":
      return state?.status === "firing" ? decideFireWhileFiring(item, state, draft) : decideFire(item, state, draft);
    case "resolve":
      return decideResolve(item, state, draft);
    default:
      return decideFlag(item, state, draft);
  }
}

function buryNote(note: DeadLetterNote, draft: Draft): Decision {
  draft.emit("transitions", note.id, note);
  return draft.settled("dead_letter");
}

/** Source time of a message: what the sender said, else when it came. */
function timeOf(event: AlertEvent): number {
  return event.occurred_ms ?? event.received_ms;
}

function episodeOf(event: AlertEvent, context: DecisionContext): { episode: Transition["episode"]; named: boolean } {
  const started = event.started_ms ?? timeOf(event);
  if (event.episode_id !== undefined) return { episode: { id: event.episode_id, started_ms: started }, named: true };
  const { partition, offset, index } = context.origin;
  return { episode: { id: `w${partition}-${offset}-${index}`, started_ms: started }, named: false };
}

/** A fire for an alert that is not open: a new episode, unless it is a late echo of one that is over. */
function decideFire(event: AlertEvent, state: AlertState | undefined, draft: Draft): Decision {
  if (state !== undefined && isEchoOfClosed(event, state)) return draft.settled("outdated");
  openEpisode(event, state, draft, reason("episode_opened"));
  return draft.passedOn();
}

/**
 * A late echo of a closed episode, rather than the alert being back. Senders keep an episode's id and start when it
 * comes back after a time-out, so an echo is told by coming shortly after the end, and never after an expiry.
 */
function isEchoOfClosed(event: AlertEvent, state: AlertState): boolean {
  const ended = state.ended ?? state.sourceTime;
  if (event.episode_id !== undefined && state.episodeNamed) {
    if (event.episode_id !== state.episode.id)
      return event.started_ms !== undefined && event.started_ms < state.episode.started_ms;
    if (timeOf(event) > ended || state.resolveReason === "expired") return false;
    const echoMs = state.neverFired ? engineLimits.earlyResolveEchoMs : engineLimits.echoMs;
    return event.received_ms - state.last <= echoMs;
  }
  return event.occurred_ms !== undefined && event.occurred_ms < ended;
}

function openEpisode(event: AlertEvent, state: AlertState | undefined, draft: Draft, why: Reason): void {
  const { context } = draft;
  const { episode, named } = episodeOf(event, context);
  const next: AlertState = {
    status: "firing",
    episode,
    episodeNamed: named,
    severity: event.severity,
    count: (state?.count ?? 0) + 1,
    first: state?.first ?? event.received_ms,
    last: event.received_ms,
    sourceTime: timeOf(event),
    expires: event.expires_ms ?? null,
    nextStaleCheck: null,
    flags: event.flags ?? {},
    ended: null,
    resolveReason: null,
    integration: event.integration,
    neverFired: false,
  };
  putAlert(event.fingerprint, next, draft);
  putDetail(event, draft);
  emitTransition(draft, event, next, { change: "fired", settles: true, why: why });
}

/** A fire for an open alert: a repeat, a change of severity or flags, a newer episode, or a late message. */
function decideFireWhileFiring(event: AlertEvent, state: AlertState, draft: Draft): Decision {
  if (event.episode_id !== undefined && state.episodeNamed && event.episode_id !== state.episode.id) {
    const older = event.started_ms !== undefined && event.started_ms < state.episode.started_ms;
    if (older) return touch(event, state, draft, "outdated");
    return supersede(event, state, draft);
  }
  const late = event.occurred_ms !== undefined && event.occurred_ms < state.sourceTime;
  const severityChanged = event.severity !== state.severity;
  const flags = changedFlags(state, event);
  if (!severityChanged && flags === null) return touch(event, state, draft, "duplicate");
  if (late) return touch(event, state, draft, "outdated");
  const next = refreshed(event, state, flags ?? state.flags);
  putAlert(event.fingerprint, next, draft);
  putDetail(event, draft);
  const why = severityChanged
    ? reason("severity_changed", { from: state.severity, to: event.severity })
    : reason("flags_changed", { flags: Object.keys(event.flags ?? {}) });
  emitTransition(draft, event, next, {
    change: severityChanged ? "severity_changed" : "flags_changed",
    settles: true,
    why: why,
  });
  return draft.passedOn();
}

/** A newer episode began though the old one never resolved: two transitions, one of which settles the event. */
function supersede(event: AlertEvent, state: AlertState, draft: Draft): Decision {
  const closing: AlertState = { ...state, status: "resolved", ended: timeOf(event), resolveReason: "missing" };
  emitTransition(draft, event, closing, { change: "resolved", settles: false, why: reason("episode_superseded") });
  openEpisode(event, state, draft, reason("episode_opened"));
  return draft.passedOn();
}

function refreshed(event: AlertEvent, state: AlertState, flags: AlertState["flags"]): AlertState {
  return {
    ...state,
    severity: event.severity,
    count: state.count + 1,
    last: event.received_ms,
    sourceTime: Math.max(state.sourceTime, timeOf(event)),
    expires: event.expires_ms ?? state.expires,
    nextStaleCheck: null,
    flags: { ...flags, stale: false },
  };
}

/** A message that changes nothing but the counters. */
function touch(event: AlertEvent, state: AlertState, draft: Draft, outcome: "duplicate" | "outdated"): Decision {
  const expires =
    event.expires_ms === undefined ? state.expires : Math.max(event.expires_ms, state.expires ?? event.expires_ms);
  putAlert(
    event.fingerprint,
    {
      ...state,
      count: state.count + 1,
      last: event.received_ms,
      sourceTime: Math.max(state.sourceTime, event.occurred_ms ?? state.sourceTime),
      expires,
      nextStaleCheck: null,
      ...(state.flags.stale === true ? { flags: { ...state.flags, stale: false } } : {}),
    },
    draft,
  );
  return draft.settled(outcome);
}

function changedFlags(state: AlertState, event: AlertEvent): AlertState["flags"] | null {
  if (event.flags === undefined) return null;
  const next = { ...state.flags, ...event.flags };
  const names = Object.keys(next) as (keyof AlertState["flags"])[];
  return names.some((name) => (next[name] ?? false) !== (state.flags[name] ?? false)) ? next : null;
}

function decideResolve(event: AlertEvent, state: AlertState | undefined, draft: Draft): Decision {
  if (state === undefined) return rememberResolve(event, draft);
  if (state.status === "resolved") return resolveAgain(event, state, draft);
  if (isOlderThanEpisode(event, state)) return draft.settled("outdated");
  const next = closed(event.resolve_reason ?? "condition", timeOf(event), {
    ...state,
    last: event.received_ms,
    sourceTime: Math.max(state.sourceTime, timeOf(event)),
  });
  putAlert(event.fingerprint, next, draft);
  putDetail(event, draft);
  emitTransition(draft, event, next, { change: "resolved", settles: true, why: reason("condition_cleared") });
  return draft.passedOn();
}

function closed(why: ResolveReason, at: number, state: AlertState): AlertState {
  return { ...state, status: "resolved", ended: at, resolveReason: why, expires: null, nextStaleCheck: null };
}

/** A late resolve never closes a newer episode. */
function isOlderThanEpisode(event: AlertEvent, state: AlertState): boolean {
  if (event.episode_id !== undefined && state.episodeNamed) {
    if (event.episode_id === state.episode.id) return false;
    return event.started_ms === undefined
      ? timeOf(event) < state.episode.started_ms
      : event.started_ms < state.episode.started_ms;
  }
  return event.occurred_ms !== undefined && event.occurred_ms < state.episode.started_ms;
}

/** Nothing to resolve: remembered for a while, so that its late fire opens nothing. */
function rememberResolve(event: AlertEvent, draft: Draft): Decision {
  const { context } = draft;
  const { episode, named } = episodeOf(event, context);
  putAlert(
    event.fingerprint,
    {
      status: "resolved",
      episode,
      episodeNamed: named,
      severity: event.severity,
      count: 0,
      first: event.received_ms,
      last: event.received_ms,
      sourceTime: timeOf(event),
      expires: null,
      nextStaleCheck: null,
      flags: {},
      ended: timeOf(event),
      resolveReason: event.resolve_reason ?? "condition",
      integration: event.integration,
      neverFired: true,
    },
    draft,
  );
  putDetail(event, draft);
  return draft.settled("outdated");
}

function resolveAgain(event: AlertEvent, state: AlertState, draft: Draft): Decision {
  const sameEpisode = event.episode_id === undefined || !state.episodeNamed || event.episode_id === state.episode.id;
  putAlert(
    event.fingerprint,
    { ...state, last: event.received_ms, ended: Math.max(state.ended ?? 0, timeOf(event)) },
    draft,
  );
  return draft.settled(sameEpisode && !state.neverFired ? "duplicate" : "outdated");
}

const flagOf = {
  acknowledge: { acknowledged: true },
  unacknowledge: { acknowledged: false },
  suppress: { suppressed: true },
  unsuppress: { suppressed: false },
  update: {},
  comment: {},
} as const;

/** Acknowledge, suppress, comment, update: flags of an open alert, never its status. */
function decideFlag(event: AlertEvent, state: AlertState | undefined, draft: Draft): Decision {
  const said = { ...event, flags: { ...event.flags, ...flagOf[event.action as keyof typeof flagOf] } };
  // Its fire was missed: the sender says that it is firing.
  if (state === undefined || state.status === "resolved")
    return event.status === "firing" ? decideFire(said, state, draft) : draft.settled("outdated");
  if (event.action === "update" && event.severity !== "unknown" && event.severity !== state.severity)
    return decideFireWhileFiring(said, state, draft);
  const flags = changedFlags(state, said);
  if (flags === null && event.action !== "comment") return touch(event, state, draft, "duplicate");
  const next: AlertState = {
    ...state,
    last: event.received_ms,
    sourceTime: Math.max(state.sourceTime, timeOf(event)),
    flags: flags ?? state.flags,
  };
  putAlert(event.fingerprint, next, draft);
  const change = event.action === "comment" ? "commented" : "flags_changed";
  const why =
    change === "commented" ? reason("commented") : reason("flags_changed", { flags: Object.keys(said.flags) });
  emitTransition(draft, { ...event, severity: next.severity }, next, { change: change, settles: true, why: why });
  return draft.passedOn();
}

function putDetail(event: AlertEvent, draft: Draft): void {
  const detail: AlertDetail = { facts: factsOf(event), severitySource: event.severity_source ?? null };
  draft.put(detailKey(event.fingerprint), detail, null);
}

/** Stores the alert with the deadline that its state needs. */
function putAlert(fingerprint: string, state: AlertState, draft: Draft): void {
  draft.put(alertKey(fingerprint), state, alertDeadline(state));
}

function alertDeadline(state: AlertState): number | null {
  if (state.status === "firing") return state.nextStaleCheck ?? state.expires;
  const memory = state.neverFired ? engineLimits.earlyResolveMemoryMs : engineLimits.resolvedMemoryMs;
  return state.last + memory;
}

function emitTransition(
  draft: Draft,
  event: AlertEvent,
  state: AlertState,
  what: { readonly change: Transition["change"]; readonly settles: boolean; readonly why: Reason },
): void {
  const { context } = draft;
  const { change, settles, why } = what;
  const transition: { -readonly [Key in keyof Transition]: Transition[Key] } = {
    type: "transition",
    change,
    settles,
    event_id: event.event_id,
    fingerprint: event.fingerprint,
    episode: state.episode,
    at_ms: context.now,
    severity: state.severity,
    alert: factsOf(event),
    reason: why,
  };
  if (event.occurred_ms !== undefined) transition.occurred_ms = event.occurred_ms;
  if (event.flags !== undefined) transition.flags = event.flags;
  if (state.resolveReason !== null) transition.resolve_reason = state.resolveReason;
  if (change === "commented") transition.comment = event.description ?? event.title;
  const actor = event.actor?.name ?? event.actor?.email ?? event.actor?.id;
  if (actor !== undefined) transition.actor = actor;
  draft.emit("transitions", event.scope, transition);
}

/** An alert's deadline: expiry, another look at a stale alert, or the end of a resolved alert's memory. */
function fireAlert(key: string, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  const state = draft.get<AlertState>(key);
  if (state === undefined) return draft.settled(null);
  const fingerprint = key.slice(2);
  if (state.status === "resolved") {
    draft.drop(key);
    draft.drop(detailKey(fingerprint));
    return draft.settled(null);
  }
  const detail = draft.get<AlertDetail>(detailKey(fingerprint));
  if (detail === undefined || state.expires === null) {
    draft.put(key, state, null);
    return draft.settled(null);
  }
  expire(key, { ...state, expires: state.expires }, detail, draft);
  return draft.settled(null);
}

/** Silence is not health: past its expiry an alert is stale, and over only if its integration went on delivering. */
function expire(
  key: string,
  state: AlertState & { readonly expires: number },
  detail: AlertDetail,
  draft: Draft,
): void {
  const { context } = draft;
  const facts = draft.get<PartitionFacts>(factsKey);
  const window = Math.max(state.expires - state.last, 1_000);
  const readySince = facts?.readySince ?? 0;
  if (readySince > state.last && context.now < readySince + window) {
    // Winnow itself was away inside the window: the sender gets its full time again.
    draft.put(key, { ...state, expires: readySince + window, last: readySince }, readySince + window);
    return;
  }
  const delivered = facts?.delivered[state.integration] ?? 0;
  if (state.nextStaleCheck !== null && delivered > state.expires) {
    const next = closed("expired", state.expires, { ...state, last: Math.max(state.last, context.now) });
    draft.put(key, next, alertDeadline(next));
    emitTimed(draft, next, detail, { change: "resolved", why: reason("expired", { integration: state.integration }) });
    return;
  }
  if (state.nextStaleCheck === null)
    emitTimed(draft, state, detail, { change: "stale", why: reason("went_stale", { integration: state.integration }) });
  const pause = Math.min(Math.max(window / 2, engineLimits.staleCheckMsMin), engineLimits.staleCheckMsMax);
  const look = context.now + Math.round(pause);
  draft.put(key, { ...state, nextStaleCheck: look, flags: { ...state.flags, stale: true } }, look);
}

function emitTimed(
  draft: Draft,
  state: AlertState,
  detail: AlertDetail,
  what: { readonly change: "resolved" | "stale"; readonly why: Reason },
): void {
  const { context } = draft;
  const { change, why } = what;
  draft.emit("transitions", detail.facts.scope, {
    type: "transition",
    change,
    settles: false,
    fingerprint: detail.facts.fingerprint,
    episode: state.episode,
    at_ms: context.now,
    severity: state.severity,
    ...(change === "resolved" ? { resolve_reason: "expired" as const } : {}),
    alert: detail.facts,
    reason: why,
  });
}

function takeTick(record: TickRecord, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  const known = draft.get<PartitionFacts>(factsKey);
  const delivered: Record<string, number> = { ...known?.delivered };
  for (const [integration, at] of Object.entries(record.delivered_ms))
    delivered[integration] = Math.max(at, delivered[integration] ?? 0);
  const facts: PartitionFacts = {
    readySince: Math.max(record.ready_since_ms, known?.readySince ?? 0),
    delivered,
  };
  draft.put(factsKey, facts, null);
  return draft.settled(null);
}
