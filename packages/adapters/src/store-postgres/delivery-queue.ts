import type { DeliveryQueue, DeliveryRow } from "@winnow/ports";
import { urgentFirst } from "../delivery-rules/index.ts";
import { deliveryColumns, rowOfDelivery, type StoredDelivery } from "./delivery-rows.ts";
import { settler } from "./delivery-settle.ts";
import type { Postgres } from "./engine/postgres.ts";

/** The fact that holds the restore epoch, epoch ms as decimal text. */
const EPOCH_FACT = "restore_epoch";

/** The store's clock, read once per statement. */
const CLOCK = "clock AS MATERIALIZED (SELECT now_ms() AS ms)";
const PRIORITIES = `unnest(ARRAY[${urgentFirst.map((priority) => `'${priority}'`).join(", ")}])`;
const WAITING = "delivery_state IN ('due', 'unknown')";

const MARK_INFLIGHT = `
  WITH ${CLOCK}
  UPDATE delivery SET delivery_state = 'inflight', sent_ms = clock.ms, sent_version = $5, sent_seq = $6,
    not_before_ms = NULL
  FROM clock
  WHERE incident_id = $1 AND destination = $2 AND generation = $3 AND lease_token = $4 AND lease_until_ms > clock.ms
    AND ${WAITING}
  RETURNING sent_ms`;

// What another call has locked is being leased, settled or wished for right now: it is left to that call.
const GIVE_UP = `
  WITH ${CLOCK}, lost AS MATERIALIZED (
    SELECT id FROM delivery, clock
    WHERE destination = $1 AND lease_token IS NOT NULL AND delivery_state = 'inflight'
      AND lease_until_ms <= clock.ms - $2::bigint
    FOR UPDATE OF delivery SKIP LOCKED
  )
  UPDATE delivery SET delivery_state = 'unknown', lease_token = NULL, lease_until_ms = NULL,
    due_ms = coalesce(due_ms, clock.ms)
  FROM lost, clock WHERE delivery.id = lost.id`;

// A range of the index per priority, P1 first, and the outer limit stops pulling: nothing that waits for later is
// walked over, and no row is locked that is not taken.
const LEASE = `
  WITH ${CLOCK}, picked AS MATERIALIZED (
    SELECT due.id
    FROM clock CROSS JOIN ${PRIORITIES} AS wanted (priority) CROSS JOIN LATERAL (
      SELECT id FROM delivery
      WHERE destination = $1 AND delivery.priority = wanted.priority AND due_ms <= clock.ms AND ${WAITING}
        AND (lease_until_ms IS NULL OR lease_until_ms <= clock.ms)
      ORDER BY due_ms, id LIMIT $4::bigint
      FOR UPDATE SKIP LOCKED
    ) AS due
    LIMIT $4::bigint
  )
  UPDATE delivery SET lease_token = $2, lease_until_ms = clock.ms + $3::bigint
  FROM picked, clock WHERE delivery.id = picked.id
  RETURNING delivery.id, ${deliveryColumns.join(", ")}`;

const RECOVER = `
  UPDATE delivery SET delivery_state = 'unknown', due_ms = now_ms(), lease_token = NULL, lease_until_ms = NULL
  WHERE delivery_state = 'inflight'`;
const FREE = "UPDATE delivery SET lease_token = NULL, lease_until_ms = NULL WHERE lease_token IS NOT NULL";

const NEXT_DUE = `
  WITH ${CLOCK}
  SELECT least(
    (SELECT min(free.due_ms)
     FROM clock CROSS JOIN ${PRIORITIES} AS wanted (priority) CROSS JOIN LATERAL (
       SELECT due_ms FROM delivery
       WHERE destination = $1 AND delivery.priority = wanted.priority AND ${WAITING}
         AND (lease_until_ms IS NULL OR lease_until_ms <= clock.ms)
       ORDER BY due_ms LIMIT 1
     ) AS free),
    (SELECT min(greatest(due_ms, lease_until_ms)) FROM delivery, clock
     WHERE destination = $1 AND lease_token IS NOT NULL AND lease_until_ms > clock.ms AND ${WAITING})
  ) AS at`;

// What was put aside while its last attempt had no known end keeps sent_ms; an older generation has a successor.
const REQUEUE = `
  WITH aside AS MATERIALIZED (
    SELECT id FROM delivery
    WHERE destination = $1 AND delivery_state IN ('parked', 'dead') AND NOT EXISTS (
      SELECT FROM delivery AS newer
      WHERE newer.incident_id = delivery.incident_id AND newer.destination = delivery.destination
        AND newer.generation > delivery.generation)
    ORDER BY incident_id FOR UPDATE
  )
  UPDATE delivery SET delivery_state = CASE WHEN sent_ms IS NULL THEN 'due' ELSE 'unknown' END, due_ms = now_ms(),
    attempts = 0
  FROM aside WHERE delivery.id = aside.id`;

/** The router's side. Leases and `sent_ms` are written and judged by the database's clock. */
export function queueOperations(postgres: Postgres): DeliveryQueue {
  return {
    storeNow: async () => {
      const [row] = await postgres.read<{ ms: number }>("SELECT now_ms() AS ms");
      return row?.ms ?? 0;
    },
    lease: async (destination, { token, leaseMs, killMs, limit }) => {
      // Two statements that commit by themselves: what a dead router left is as well unknown without a new lease.
      await postgres.change(GIVE_UP, [destination, killMs]);
      const taken = await postgres.write<Taken>(LEASE, [destination, token, leaseMs, limit]);
      return taken.toSorted(byUrgency).map(rowOfDelivery);
    },
    markInflight: async ({ incident_id, destination, generation }, token, sent) => {
      const key = [incident_id, destination, generation, token];
      const [marked] = await postgres.write<{ sent_ms: number }>(MARK_INFLIGHT, [...key, sent.version, sent.seq]);
      return marked?.sent_ms ?? null;
    },
    settle: settler(postgres),
    recoverInflight: () =>
      postgres.transaction(async (statements) => {
        const recovered = await statements.change(RECOVER);
        await statements.change(FREE);
        return recovered;
      }),
    nextDue: async (destination) => {
      const [next] = await postgres.read<{ at: number | null }>(NEXT_DUE, [destination]);
      return next?.at ?? null;
    },
    requeue: (destination) => postgres.change(REQUEUE, [destination]),
    epoch: async () => {
      const [stored] = await postgres.read<{ value: string }>("SELECT value FROM fact WHERE name = $1", [EPOCH_FACT]);
      return stored === undefined ? null : Number(stored.value);
    },
  };
}

type Taken = StoredDelivery & { readonly id: number };

function byUrgency(left: Taken, right: Taken): number {
  const rank = (row: DeliveryRow["priority"]) => urgentFirst.indexOf(row);
  return rank(left.priority) - rank(right.priority) || (left.due_ms ?? 0) - (right.due_ms ?? 0) || left.id - right.id;
}
