import type { DatabaseSync } from "node:sqlite";
import type { DeliveryQueue, DeliveryRow, DeliveryUpdate } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";
import type { Sync } from "./operations.ts";
import { timelineAppender } from "./timeline.ts";

type Attempt = Pick<
  DeliveryRow,
  | "delivery_state"
  | "desired_version"
  | "applied_version"
  | "applied_seq"
  | "remote_id"
  | "remote_url"
  | "attempts"
  | "priority"
  | "sent_ms"
  | "sent_version"
  | "sent_seq"
> & { readonly id: number; readonly last_error: string | null; readonly wish_due_ms: number | null };

const ATTEMPT =
  "id, delivery_state, desired_version, applied_version, applied_seq, remote_id, remote_url, attempts, priority, " +
  "sent_ms, sent_version, sent_seq, last_error, wish_due_ms";

/** Ends an attempt: the row, the timeline and a successor in the caller's transaction. */
export function settler(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["settle"] {
  const held = query<Attempt>(
    db,
    `SELECT ${ATTEMPT} FROM delivery WHERE incident_id = ? AND destination = ? AND generation = ? AND lease_token = ?`,
  );
  const write = attemptWriter(db);
  const succeed = command(
    db,
    `INSERT INTO delivery (incident_id, destination, generation, delivery_state, desired_version, due_ms, priority)
     VALUES (?, ?, ?, 'due', ?, ?, ?)`,
  );
  const append = timelineAppender(db);
  return (key, token, update) => {
    const { incident_id, destination, generation } = key;
    const attempt = held.get(incident_id, destination, generation, token);
    if (attempt === undefined) return false;
    write(attempt, update, now());
    if (update.successor === true) {
      succeed(incident_id, destination, generation + 1, attempt.desired_version, now(), attempt.priority);
    }
    if (update.timeline !== undefined) append(incident_id, update.timeline);
    return true;
  };
}

function attemptWriter(db: DatabaseSync): (attempt: Attempt, update: DeliveryUpdate, nowMs: number) => void {
  const end = command(
    db,
    `UPDATE delivery SET delivery_state = ?, due_ms = ?, not_before_ms = ?, wish_due_ms = ?, sent_ms = ?,
       sent_version = ?, sent_seq = ?, lease_token = NULL, lease_until_ms = NULL WHERE id = ?`,
  );
  const apply = command(
    db,
    `UPDATE delivery SET applied_version = ?, applied_seq = ?, remote_id = ?, remote_url = ?, attempts = ?,
       last_error = ? WHERE id = ?`,
  );
  return (attempt, update, nowMs) => {
    const next = scheduleAfter(attempt, update, nowMs);
    const isOpen = keepsSent(attempt, next.delivery_state);
    end(
      next.delivery_state,
      next.due_ms,
      next.not_before_ms,
      next.delivery_state === "unknown" ? attempt.wish_due_ms : null,
      isOpen ? attempt.sent_ms : null,
      isOpen ? attempt.sent_version : null,
      isOpen ? attempt.sent_seq : null,
      attempt.id,
    );
    apply(
      update.applied_version ?? attempt.applied_version,
      update.applied_seq ?? attempt.applied_seq,
      update.remote_id === undefined ? attempt.remote_id : update.remote_id,
      update.remote_url === undefined ? attempt.remote_url : update.remote_url,
      update.attempts ?? attempt.attempts,
      errorText(attempt, update),
      attempt.id,
    );
  };
}

interface NextSchedule {
  readonly delivery_state: DeliveryRow["delivery_state"];
  readonly due_ms: number | null;
  readonly not_before_ms: number | null;
}

function scheduleAfter(attempt: Attempt, update: DeliveryUpdate, nowMs: number): NextSchedule {
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
      assert(update.successor !== true, "the generation before a successor is over");
      const dueMs = update.due_ms ?? nowMs;
      return { delivery_state: state, due_ms: dueMs, not_before_ms: state === "due" ? dueMs : null };
    }
    case "parked":
    case "dead":
      return { delivery_state: state, due_ms: null, not_before_ms: null };
  }
}

/** A row put aside while it was being looked up still has an attempt of unknown end behind it. */
function keepsSent(attempt: Attempt, next: DeliveryRow["delivery_state"]): boolean {
  if (next === "unknown") return true;
  return attempt.delivery_state === "unknown" && (next === "parked" || next === "dead");
}

function errorText(attempt: Attempt, update: DeliveryUpdate): string | null {
  if (update.last_error === undefined) return attempt.last_error;
  return update.last_error === null ? null : JSON.stringify(update.last_error);
}
