import { type ActionRecord, reason } from "@winnow/contracts";
import { IncidentChange } from "./incident-change.ts";
import { type IncidentState, incidentKey } from "./incident-state.ts";
import { engineLimits } from "./limits.ts";
import type { Decision, Draft } from "./stage.ts";

/** What a person did to an incident. The same action id acts once. */
export function applyAction(action: ActionRecord, draft: Draft): Decision {
  const { context } = draft;
  const state = draft.get<IncidentState>(incidentKey(action.incident_id));
  if (state === undefined) {
    // Forgotten here, kept in the record: stage C knows it and adds the line.
    draft.emit("incident-events", action.incident_id, action);
    return draft.settled(null);
  }
  if (state.actionIds.includes(action.action_id)) return draft.settled(null);
  const change = new IncidentChange(state, draft);
  change.set({ actionIds: [...state.actionIds, action.action_id].slice(-engineLimits.actionIdsMax) });
  act(action, state, change, context.now);
  change.finish({ notable: true, urgent: action.action !== "note", actionId: action.action_id });
  return draft.settled(null);
}

function act(action: ActionRecord, state: IncidentState, change: IncidentChange, now: number): void {
  const over = state.snapshot.state === "resolved";
  const more = { actor: action.actor, ...(action.text === "" ? {} : { text: action.text }) };
  if (action.action === "note") {
    change.tell("noted", reason("person_noted", { person: action.actor }), more);
    return;
  }
  if (over) {
    change.tell("action_refused", reason("action_refused", { action: action.action, state: "resolved" }), more);
    return;
  }
  if (action.action === "resolve") {
    change.resolveByPerson(action.actor, action.text);
    return;
  }
  if (state.snapshot.state !== "new") {
    change.tell("action_refused", reason("action_refused", { action: "ack", state: state.snapshot.state }), more);
    return;
  }
  change.setSnapshot({ state: "acknowledged", acknowledged_ms: now });
  change.tell("acknowledged", reason("person_acknowledged", { person: action.actor }), more);
}
