import { assert } from "@winnow/platform";
import type { DeliveryKey, DeliveryQueue, DeliveryUpdate } from "@winnow/ports";
import { type Attempt, ended } from "../delivery-rules/index.ts";
import type { StoredDelivery } from "./delivery-rows.ts";
import type { Postgres, Statements } from "./engine/postgres.ts";
import type { Value } from "./engine/values.ts";
import { insertTimeline } from "./timeline.ts";

type HeldAttempt = Attempt &
  Pick<
    StoredDelivery,
    "applied_seq" | "remote_id" | "remote_url" | "attempts" | "priority" | "error_code" | "error_message"
  > & { readonly id: number; readonly now_ms: number };

// Whoever numbers a timeline or starts a generation holds the incident's row first, as stage C does: C then never sees
// a generation that has just got a successor, and the two never wait for each other in a circle.
const HOLD_INCIDENT = "SELECT id FROM incident WHERE incident_id = $1 FOR UPDATE";

const HELD = `
  SELECT id, delivery_state, desired_version, applied_version, applied_seq, remote_id, remote_url, attempts, priority,
    sent_ms, sent_version, sent_seq, error_code, error_message, wish_due_ms, now_ms() AS now_ms
  FROM delivery WHERE incident_id = $1 AND destination = $2 AND generation = $3 AND lease_token = $4 FOR UPDATE`;

const END = `
  UPDATE delivery SET delivery_state = $2, due_ms = $3, not_before_ms = $4, wish_due_ms = $5, sent_ms = $6,
    sent_version = $7, sent_seq = $8, applied_version = $9, applied_seq = $10, remote_id = $11, remote_url = $12,
    attempts = $13, error_code = $14, error_message = $15, lease_token = NULL, lease_until_ms = NULL
  WHERE id = $1`;

const SUCCEED = `
  INSERT INTO delivery (incident_id, destination, generation, delivery_state, desired_version, due_ms, priority)
  VALUES ($1, $2, $3, 'due', $4, $5, $6)`;

const COUNT_ROW =
  "UPDATE incident SET timeline_seq = timeline_seq + 1 WHERE incident_id = $1 RETURNING id, timeline_seq AS seq";

/** Ends an attempt: the row, the timeline and a successor in one transaction. */
export function settler(postgres: Postgres): DeliveryQueue["settle"] {
  return (key, token, update) =>
    postgres.transaction(async (statements) => {
      const { incident_id, destination, generation } = key;
      const isWide = update.timeline !== undefined || update.successor === true;
      if (isWide) await statements.rows(HOLD_INCIDENT, [incident_id]);
      const [attempt] = await statements.rows<HeldAttempt>(HELD, [incident_id, destination, generation, token]);
      if (attempt === undefined) return false;
      await statements.change(END, endValues(attempt, update));
      if (update.successor === true) await succeed(statements, key, attempt);
      if (update.timeline !== undefined) {
        const [counted] = await statements.rows<{ id: number; seq: number }>(COUNT_ROW, [incident_id]);
        assert(counted !== undefined, "a timeline's incident is stored");
        await insertTimeline(statements, [{ incident: counted.id, seq: counted.seq, entry: update.timeline }]);
      }
      return true;
    });
}

async function succeed(statements: Statements, key: DeliveryKey, attempt: HeldAttempt): Promise<void> {
  const { incident_id, destination, generation } = key;
  const { desired_version, now_ms, priority } = attempt;
  const values = [incident_id, destination, generation + 1, desired_version, now_ms, priority];
  await statements.change(SUCCEED, values);
}

function endValues(attempt: HeldAttempt, update: DeliveryUpdate): Value[] {
  const next = ended(attempt, update, attempt.now_ms);
  const stored = attempt.error_code === null ? null : { code: attempt.error_code, message: attempt.error_message };
  const error = update.last_error === undefined ? stored : update.last_error;
  return [
    attempt.id,
    next.delivery_state,
    next.due_ms,
    next.not_before_ms,
    next.wish_due_ms,
    next.sent_ms,
    next.sent_version,
    next.sent_seq,
    update.applied_version ?? attempt.applied_version,
    update.applied_seq ?? attempt.applied_seq,
    update.remote_id === undefined ? attempt.remote_id : update.remote_id,
    update.remote_url === undefined ? attempt.remote_url : update.remote_url,
    update.attempts ?? attempt.attempts,
    error?.code ?? null,
    error?.message ?? null,
  ];
}
