/**
 * How deliveries are scheduled, for the incident stores on every database. Pure, and without imports that a store's
 * thread would have to load.
 */
import type { DeliveryState, Priority } from "@winnow/contracts";
import type { DeliveryRow, DeliveryUpdate, DeliveryWish } from "@winnow/ports";

/** Priorities as deliveries are leased. */
export const urgentFirst = ["P1", "P2", "P3", "P4", "P5"] as const satisfies readonly Priority[];

/** What wishes look at and change of the newest generation. */
export interface Schedule {
  readonly delivery_state: DeliveryState;
  readonly desired_version: number;
  readonly applied_version: number;
  readonly due_ms: number | null;
  readonly not_before_ms: number | null;
  readonly wish_due_ms: number | null;
  readonly lease_token: string | null;
  readonly priority: Priority;
}

/** The schedule of generation 1, which the first wish makes. */
export function firstSchedule(wish: DeliveryWish): Schedule {
  return {
    delivery_state: "due",
    desired_version: wish.desired_version,
    applied_version: 0,
    due_ms: wish.at_ms,
    not_before_ms: null,
    wish_due_ms: null,
    lease_token: null,
    priority: wish.priority,
  };
}

/** The schedule after one more wish; the port says how. */
export function wished(stored: Schedule, wish: DeliveryWish, coalesceMs: number): Schedule {
  const desired_version = Math.max(stored.desired_version, wish.desired_version);
  const asked = { ...stored, desired_version, priority: wish.priority };
  if (desired_version <= stored.applied_version) return asked;
  const wantedMs = wish.urgent ? wish.at_ms : wish.at_ms + coalesceMs;
  const wish_due_ms = Math.min(stored.wish_due_ms ?? wantedMs, wantedMs);
  switch (stored.delivery_state) {
    case "idle":
      return { ...asked, delivery_state: "due", due_ms: wantedMs };
    case "due": {
      const due_ms = Math.max(stored.not_before_ms ?? 0, Math.min(stored.due_ms ?? wantedMs, wantedMs));
      // A router may have read the row already: then the wish is for the attempt after this one.
      return stored.lease_token === null ? { ...asked, due_ms } : { ...asked, due_ms, wish_due_ms };
    }
    case "inflight":
    case "unknown":
      return { ...asked, wish_due_ms };
    case "parked":
    case "dead":
      return asked;
  }
}

/** What the end of an attempt looks at. */
export type Attempt = Pick<
  DeliveryRow,
  "delivery_state" | "desired_version" | "applied_version" | "sent_ms" | "sent_version" | "sent_seq"
> & { readonly wish_due_ms: number | null };

/** What the end of an attempt makes of the row's schedule. */
export interface Ending {
  readonly delivery_state: DeliveryState;
  readonly due_ms: number | null;
  readonly not_before_ms: number | null;
  readonly wish_due_ms: number | null;
  readonly sent_ms: number | null;
  readonly sent_version: number | null;
  readonly sent_seq: number | null;
}

/** How an attempt ends; the port says how. */
export function ended(attempt: Attempt, update: DeliveryUpdate, nowMs: number): Ending {
  const next = scheduleAfter(attempt, update, nowMs);
  const isOpen = keepsSent(attempt, next.delivery_state);
  return {
    ...next,
    wish_due_ms: next.delivery_state === "unknown" ? attempt.wish_due_ms : null,
    sent_ms: isOpen ? attempt.sent_ms : null,
    sent_version: isOpen ? attempt.sent_version : null,
    sent_seq: isOpen ? attempt.sent_seq : null,
  };
}

/** A delivery as a store holds it, its error aside, with exactly the port's fields. */
export function deliveryOf(stored: Omit<DeliveryRow, "last_error">, lastError: DeliveryRow["last_error"]): DeliveryRow {
  return {
    incident_id: stored.incident_id,
    destination: stored.destination,
    generation: stored.generation,
    delivery_state: stored.delivery_state,
    desired_version: stored.desired_version,
    applied_version: stored.applied_version,
    applied_seq: stored.applied_seq,
    remote_id: stored.remote_id,
    remote_url: stored.remote_url,
    attempts: stored.attempts,
    due_ms: stored.due_ms,
    sent_ms: stored.sent_ms,
    sent_version: stored.sent_version,
    sent_seq: stored.sent_seq,
    priority: stored.priority,
    lease_token: stored.lease_token,
    lease_until_ms: stored.lease_until_ms,
    last_error: lastError,
  };
}

function scheduleAfter(
  attempt: Attempt,
  update: DeliveryUpdate,
  nowMs: number,
): Pick<Ending, "delivery_state" | "due_ms" | "not_before_ms"> {
  const state = update.delivery_state;
  switch (state) {
    case "inflight":
      throw new Error("assertion failed: an attempt does not end in flight");
    case "idle": {
      const applied = update.applied_version ?? attempt.applied_version;
      // Wishes that came during the attempt are still to be carried out; a successor carries out its own.
      const isBehind = applied < attempt.desired_version && update.successor !== true;
      if (!isBehind) return { delivery_state: "idle", due_ms: null, not_before_ms: null };
      return { delivery_state: "due", due_ms: attempt.wish_due_ms ?? nowMs, not_before_ms: null };
    }
    case "due":
    case "unknown": {
      if (update.successor === true) throw new Error("assertion failed: the generation before a successor is over");
      const dueMs = update.due_ms ?? nowMs;
      return { delivery_state: state, due_ms: dueMs, not_before_ms: state === "due" ? dueMs : null };
    }
    case "parked":
    case "dead":
      return { delivery_state: state, due_ms: null, not_before_ms: null };
  }
}

/** A row put aside while it was being looked up still has an attempt of unknown end behind it. */
function keepsSent(attempt: Attempt, next: DeliveryState): boolean {
  if (next === "unknown") return true;
  return attempt.delivery_state === "unknown" && (next === "parked" || next === "dead");
}
