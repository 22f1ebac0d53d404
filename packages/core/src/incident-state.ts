import type { IncidentSnapshot, Priority, Severity, Transition, WindowSettings } from "@winnow/contracts";
import type { Draft } from "./stage.ts";

/** What B keeps per incident. */
export interface IncidentState {
  readonly snapshot: IncidentSnapshot;
  /** Key of the group that it was opened for: forgotten together with it. */
  readonly group: string;
  /** Settings of the rule that opened it: newer rule sets do not change them. */
  readonly window: WindowSettings;
  readonly holdMs: Readonly<Record<Priority, number>>;
  readonly resolveDelayMs: number;
  readonly impactByRule: IncidentSnapshot["impact"] | null;
  readonly urgencyByRule: IncidentSnapshot["urgency"] | null;
  readonly impactHint: IncidentSnapshot["impact"] | null;
  /** Open members per severity. */
  readonly openBySeverity: Readonly<Partial<Record<Severity, number>>>;
  readonly hosts: readonly string[];
  readonly services: readonly string[];
  /** Since when the hold counts: it opened, or opened again; epoch ms. */
  readonly heldFrom: number;
  /** While set, no ticket is desired; epoch ms. */
  readonly holdUntil: number | null;
  /** While set, every member is resolved and the resolve delay runs; epoch ms. */
  readonly resolveDue: number | null;
  /** When a resolved incident's state may be forgotten. */
  readonly forgetAt: number | null;
  readonly actionIds: readonly string[];
}

/** What B keeps per fingerprint. */
export interface MemberState {
  /** The incident it belongs to, or null while it waits in a group below min_alerts. */
  readonly incidentId: string | null;
  /** Key of the waiting group. */
  readonly waitingIn: string | null;
  readonly episodeId: string;
  readonly status: "firing" | "resolved";
  readonly severity: Severity;
  readonly joined: number;
}

/** What B keeps per rule and group key. */
export interface GroupState {
  readonly incidentId: string | null;
  /** Alerts below min_alerts, oldest first. */
  readonly waiting: readonly Transition[];
  /** Until when they wait for company; epoch ms. */
  readonly waitUntil: number | null;
}

/** Stores a group; one that says nothing is dropped. */
export function putGroup(draft: Draft, key: string, group: GroupState): void {
  if (group.incidentId === null && group.waiting.length === 0) draft.drop(key);
  else draft.put(key, group, group.waiting.length === 0 ? null : group.waitUntil);
}

export const memberKey = (fingerprint: string): string => `m:${fingerprint}`;
export const incidentKey = (incidentId: string): string => `i:${incidentId}`;
export const groupKeyOf = (digest: string): string => `g:${digest}`;
export const counterKey = (scope: string): string => `n:${scope}`;

/** The next moment at which an incident wants to be looked at. */
export function incidentDeadline(state: IncidentState): number | null {
  const times = [state.holdUntil, state.resolveDue, state.forgetAt].filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}
