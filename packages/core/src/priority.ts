import type { RuleSet } from "@winnow/contracts";
import { type IncidentSnapshot, type Level, type PriorityInputs, type Severity, severities } from "@winnow/contracts";
import type { IncidentState } from "./incident-state.ts";

/** Environments whose outages hurt nobody outside the team. */
const quietEnvironments = new Set([
  "dev",
  "development",
  "test",
  "testing",
  "qa",
  "staging",
  "stage",
  "sandbox",
  "lab",
]);
/** From this many distinct hosts or services on, an incident counts as broad. */
const broadHosts = 10;
const broadServices = 3;

/** Worst severity with an open member, or `otherwise` when none is open. */
export function worstOpen(open: IncidentState["openBySeverity"], otherwise: Severity): Severity {
  return severities.find((severity) => (open[severity] ?? 0) > 0) ?? otherwise;
}

function impactOf(state: IncidentState, environment: string | null): { level: Level; from: string } {
  if (state.impactByRule !== null) return { level: state.impactByRule, from: "rule" };
  if (state.impactHint !== null) return { level: state.impactHint, from: "sender's hint" };
  if (state.hosts.length >= broadHosts) return { level: "high", from: `breadth: ${broadHosts} hosts or more` };
  if (state.services.length >= broadServices)
    return { level: "high", from: `breadth: ${broadServices} services or more` };
  if (environment !== null && quietEnvironments.has(environment.toLowerCase()))
    return { level: "low", from: `environment ${environment}` };
  return { level: "medium", from: "default" };
}

/** Impact x urgency by the matrix, with the inputs that led to it. */
export function assess(
  state: IncidentState,
  severity: Severity,
  set: RuleSet,
): Pick<IncidentSnapshot, "impact" | "urgency" | "priority" | "priority_inputs"> {
  const impact = impactOf(state, state.snapshot.environment);
  const urgency: { level: Level; from: string } =
    state.urgencyByRule === null
      ? { level: set.urgency_by_severity[severity], from: `severity ${severity}` }
      : { level: state.urgencyByRule, from: "rule" };
  const inputs: PriorityInputs = {
    impact: impact.level,
    impact_from: impact.from,
    urgency: urgency.level,
    urgency_from: urgency.from,
    severity,
    open_members: state.snapshot.open_member_count,
  };
  return {
    impact: impact.level,
    urgency: urgency.level,
    priority: set.matrix[impact.level][urgency.level],
    priority_inputs: inputs,
  };
}
