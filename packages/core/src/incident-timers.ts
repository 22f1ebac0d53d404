import { IncidentChange } from "./incident-change.ts";
import { type GroupState, type IncidentState, incidentDeadline, putGroup } from "./incident-state.ts";
import { engineLimits } from "./limits.ts";
import { type Decision, type DecisionContext, Draft, type Read } from "./stage.ts";

/** A member still fires, since a person resolved the incident: its end will be told too. */
function remember(state: IncidentState, key: string, draft: Draft): Decision {
  const forgetAt = draft.context.now + engineLimits.memberMemoryMs;
  draft.put(key, { ...state, forgetAt }, forgetAt);
  return draft.settled(null);
}

/** An incident's deadline: the hold is over, the resolve delay is over, or its memory may go. */
export function fireIncident(key: string, read: Read, context: DecisionContext): Decision {
  const draft = new Draft(read, context);
  const state = draft.get<IncidentState>(key);
  if (state === undefined) return draft.settled(null);
  if (state.forgetAt !== null && state.forgetAt <= context.now) {
    if (state.snapshot.open_member_count > 0) return remember(state, key, draft);
    draft.drop(key);
    const group = draft.get<GroupState>(state.group);
    if (group?.incidentId === state.snapshot.incident_id) putGroup(draft, state.group, { ...group, incidentId: null });
    return draft.settled(null);
  }
  if (state.resolveDue !== null && state.resolveDue <= context.now) {
    const change = new IncidentChange(state, draft);
    change.resolveAll();
    change.finish({ notable: true, urgent: true });
    return draft.settled(null);
  }
  if (state.holdUntil !== null && state.holdUntil <= context.now) {
    const change = new IncidentChange(state, draft);
    change.release();
    change.finish({ notable: true, urgent: true });
    return draft.settled(null);
  }
  draft.put(key, state, incidentDeadline(state));
  return draft.settled(null);
}
