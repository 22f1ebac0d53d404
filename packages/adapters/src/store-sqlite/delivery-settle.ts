import type { DatabaseSync } from "node:sqlite";
import type { DeliveryQueue, DeliveryRow, DeliveryUpdate } from "@winnow/ports";
import { type Attempt, ended } from "../delivery-rules/index.ts";
import { command, query } from "./engine/database.ts";
import type { Sync } from "./operations.ts";
import { timelineAppender } from "./timeline.ts";

interface StoredAttempt
  extends Attempt,
    Pick<DeliveryRow, "applied_seq" | "remote_id" | "remote_url" | "attempts" | "priority"> {
  readonly id: number;
  readonly last_error: string | null;
}

const ATTEMPT =
  "id, delivery_state, desired_version, applied_version, applied_seq, remote_id, remote_url, attempts, priority, " +
  "sent_ms, sent_version, sent_seq, last_error, wish_due_ms";

/** Ends an attempt: the row, the timeline and a successor in the caller's transaction. */
export function settler(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["settle"] {
  const held = query<StoredAttempt>(
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

function attemptWriter(db: DatabaseSync): (attempt: StoredAttempt, update: DeliveryUpdate, nowMs: number) => void {
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
    const next = ended(attempt, update, nowMs);
    end(
      next.delivery_state,
      next.due_ms,
      next.not_before_ms,
      next.wish_due_ms,
      next.sent_ms,
      next.sent_version,
      next.sent_seq,
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

function errorText(attempt: StoredAttempt, update: DeliveryUpdate): string | null {
  if (update.last_error === undefined) return attempt.last_error;
  return update.last_error === null ? null : JSON.stringify(update.last_error);
}
