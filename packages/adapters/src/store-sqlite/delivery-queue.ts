import type { DatabaseSync } from "node:sqlite";
import type { Priority } from "@winnow/contracts";
import type { DeliveryQueue, DeliveryRow } from "@winnow/ports";
import { deliveryColumns, rowOfDelivery, type StoredDelivery } from "./delivery-rows.ts";
import { settler } from "./delivery-settle.ts";
import { command, query } from "./engine/database.ts";
import type { Sync } from "./operations.ts";

const URGENT_FIRST = ["P1", "P2", "P3", "P4", "P5"] as const satisfies readonly Priority[];

/** The fact that holds the restore epoch, epoch ms as decimal text. */
const EPOCH_FACT = "restore_epoch";

/** The router's side. `now` is the store's clock; each operation runs inside a transaction of the caller's. */
export function queueOperations(db: DatabaseSync, now: () => number): Sync<DeliveryQueue> {
  const markInflight = command(
    db,
    `UPDATE delivery SET delivery_state = 'inflight', sent_ms = ?1, sent_version = ?2, sent_seq = ?3,
       not_before_ms = NULL
     WHERE incident_id = ?4 AND destination = ?5 AND generation = ?6 AND lease_token = ?7 AND lease_until_ms > ?1
       AND delivery_state IN ('due', 'unknown')`,
  );
  const epoch = query<{ value: string }>(db, "SELECT value FROM fact WHERE name = ?");
  return {
    storeNow: () => now(),
    lease: leaser(db, now),
    markInflight: (key, token, sent) => {
      const at = now();
      const { incident_id, destination, generation } = key;
      const changed = markInflight(at, sent.version, sent.seq, incident_id, destination, generation, token);
      return changed === 1 ? at : null;
    },
    settle: settler(db, now),
    recoverInflight: recoverer(db, now),
    nextDue: nextDueReader(db, now),
    requeue: requeuer(db, now),
    epoch: () => {
      const stored = epoch.get(EPOCH_FACT)?.value;
      return stored === undefined ? null : Number(stored);
    },
  };
}

function leaser(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["lease"] {
  const giveUp = command(
    db,
    `UPDATE delivery SET delivery_state = 'unknown', lease_token = NULL, lease_until_ms = NULL,
       due_ms = coalesce(due_ms, ?1)
     WHERE destination = ?2 AND lease_token IS NOT NULL AND delivery_state = 'inflight' AND lease_until_ms <= ?1 - ?3`,
  );
  const due = query<{ id: number }>(
    db,
    `SELECT id FROM delivery
     WHERE destination = ? AND priority = ? AND due_ms <= ? AND delivery_state IN ('due', 'unknown')
       AND (lease_until_ms IS NULL OR lease_until_ms <= ?)
     ORDER BY due_ms, id LIMIT ?`,
  );
  const take = query<StoredDelivery>(
    db,
    `UPDATE delivery SET lease_token = ?, lease_until_ms = ? WHERE id = ? RETURNING ${deliveryColumns}`,
  );
  return (destination, { token, leaseMs, killMs, limit }) => {
    const at = now();
    giveUp(at, destination, killMs);
    const leased: DeliveryRow[] = [];
    // A range of the index per priority: what waits for later is never walked over.
    for (const priority of URGENT_FIRST) {
      for (const { id } of due.all(destination, priority, at, at, limit - leased.length)) {
        const taken = take.get(token, at + leaseMs, id);
        if (taken !== undefined) leased.push(rowOfDelivery(taken));
      }
    }
    return leased;
  };
}

function recoverer(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["recoverInflight"] {
  const recover = command(
    db,
    `UPDATE delivery SET delivery_state = 'unknown', due_ms = ?, lease_token = NULL, lease_until_ms = NULL
     WHERE delivery_state = 'inflight'`,
  );
  const free = command(
    db,
    "UPDATE delivery SET lease_token = NULL, lease_until_ms = NULL WHERE lease_token IS NOT NULL",
  );
  return () => {
    const recovered = recover(now());
    free();
    return recovered;
  };
}

function nextDueReader(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["nextDue"] {
  const free = query<{ at: number }>(
    db,
    `SELECT due_ms AS at FROM delivery
     WHERE destination = ? AND priority = ? AND delivery_state IN ('due', 'unknown')
       AND (lease_until_ms IS NULL OR lease_until_ms <= ?)
     ORDER BY due_ms LIMIT 1`,
  );
  const leased = query<{ at: number | null }>(
    db,
    `SELECT min(max(due_ms, lease_until_ms)) AS at FROM delivery
     WHERE destination = ? AND lease_token IS NOT NULL AND lease_until_ms > ? AND delivery_state IN ('due', 'unknown')`,
  );
  return (destination) => {
    const at = now();
    const times = URGENT_FIRST.map((priority) => free.get(destination, priority, at)?.at ?? null);
    times.push(leased.get(destination, at)?.at ?? null);
    const known = times.filter((time) => time !== null);
    return known.length === 0 ? null : Math.min(...known);
  };
}

function requeuer(db: DatabaseSync, now: () => number): Sync<DeliveryQueue>["requeue"] {
  // What was put aside while its last attempt had no known end keeps `sent_ms`; an older generation has a successor.
  const requeue = command(
    db,
    `UPDATE delivery SET delivery_state = CASE WHEN sent_ms IS NULL THEN 'due' ELSE 'unknown' END, due_ms = ?,
       attempts = 0
     WHERE destination = ? AND delivery_state IN ('parked', 'dead') AND NOT EXISTS (
       SELECT 1 FROM delivery AS newer
       WHERE newer.incident_id = delivery.incident_id AND newer.destination = delivery.destination
         AND newer.generation > delivery.generation)`,
  );
  return (destination) => requeue(now(), destination);
}
