import type { Alert, DeadLetter, Delivery, Incident, Priority } from "@winnow/contracts";

// The closed sets that options take, as literals: the contracts' own lists would load their schemas at every start.
// The types hold each of them to be a part of the contracts' set, and a test holds them to be the whole of it.

export const incidentStates = [
  "new",
  "acknowledged",
  "diagnosing",
  "mitigated",
  "resolved",
  "closed",
  "reviewed",
] as const satisfies readonly Incident["state"][];

export const priorities = ["P1", "P2", "P3", "P4", "P5"] as const satisfies readonly Priority[];

export const alertStatuses = ["firing", "resolved"] as const satisfies readonly Alert["status"][];

export const deliveryStates = [
  "idle",
  "due",
  "inflight",
  "unknown",
  "parked",
  "dead",
] as const satisfies readonly Delivery["delivery_state"][];

export const deadLetterStates = ["waiting", "retried", "discarded"] as const satisfies readonly DeadLetter["state"][];

/** What a token may allow. */
export const tokenScopes = ["read", "act", "admin"] as const;
