import type { DatabaseSync } from "node:sqlite";
import type { DeliveryState } from "@winnow/contracts";
import type { DeliveryWish } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";

/** What a wish looks at and changes of the newest generation. */
interface Schedule {
  readonly delivery_state: DeliveryState;
  readonly desired_version: number;
  readonly due_ms: number | null;
  readonly wish_due_ms: number | null;
}

interface StoredSchedule extends Schedule {
  readonly id: number;
  readonly applied_version: number;
  readonly not_before_ms: number | null;
  readonly lease_token: string | null;
}

/** Turns C's wishes into due deliveries; the port says how. */
export function wishWriter(db: DatabaseSync, coalesceMs: number): (wish: DeliveryWish) => void {
  const known = query<{ id: number }>(db, "SELECT id FROM incident WHERE incident_id = ?");
  const newest = query<StoredSchedule>(
    db,
    `SELECT id, delivery_state, desired_version, applied_version, due_ms, not_before_ms, wish_due_ms, lease_token
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
    const { delivery_state, desired_version, due_ms, wish_due_ms } = next;
    update(delivery_state, desired_version, due_ms, wish_due_ms, wish.priority, stored.id);
  };
}

function wished(stored: StoredSchedule, wish: DeliveryWish, coalesceMs: number): Schedule {
  const desired_version = Math.max(stored.desired_version, wish.desired_version);
  const asked = { ...stored, desired_version };
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
