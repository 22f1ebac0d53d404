import type { DatabaseSync } from "node:sqlite";
import type { DeliveryWish } from "@winnow/ports";
import { type Schedule, wished } from "../delivery-rules/index.ts";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";

interface StoredSchedule extends Schedule {
  readonly id: number;
}

/** Turns C's wishes into due deliveries; the port says how. */
export function wishWriter(db: DatabaseSync, coalesceMs: number): (wish: DeliveryWish) => void {
  const known = query<{ id: number }>(db, "SELECT id FROM incident WHERE incident_id = ?");
  const newest = query<StoredSchedule>(
    db,
    `SELECT id, delivery_state, desired_version, applied_version, due_ms, not_before_ms, wish_due_ms, lease_token,
       priority
     FROM delivery WHERE incident_id = ? AND destination = ? ORDER BY generation DESC LIMIT 1`,
  );
  const insert = command(
    db,
    `INSERT INTO delivery (incident_id, destination, generation, delivery_state, desired_version, due_ms, priority)
     VALUES (?, ?, 1, 'due', ?, ?, ?)`,
  );
  const update = command(
    db,
    `UPDATE delivery SET delivery_state = ?, desired_version = ?, due_ms = ?, wish_due_ms = ?, priority = ?
     WHERE id = ?`,
  );
  return (wish) => {
    const stored = newest.get(wish.incident_id, wish.destination);
    if (stored === undefined) {
      assert(known.get(wish.incident_id) !== undefined, "a wish's incident is stored");
      insert(wish.incident_id, wish.destination, wish.desired_version, wish.at_ms, wish.priority);
      return;
    }
    const next = wished(stored, wish, coalesceMs);
    update(next.delivery_state, next.desired_version, next.due_ms, next.wish_due_ms, next.priority, stored.id);
  };
}
