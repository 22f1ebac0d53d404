import type { DeliveryWish } from "@winnow/ports";
import { firstSchedule, type Schedule, wished } from "../delivery-rules/index.ts";
import { arraysOf, type Column, chunksOf, inputOf } from "./engine/columns.ts";
import type { Statements } from "./engine/postgres.ts";

interface Target {
  readonly incident_id: string;
  readonly destination: string;
}

type StoredSchedule = Target & Schedule & { readonly id: number };

/** A delivery after all wishes of a commit; `id` null = its first generation is made. */
interface Planned {
  readonly id: number | null;
  readonly target: Target;
  readonly schedule: Schedule;
}

const targetColumns: readonly Column<Target>[] = [
  { name: "incident_id", type: "text", of: (target) => target.incident_id },
  { name: "destination", type: "text", of: (target) => target.destination },
];

// Locked in the order of the input, which is sorted; whoever starts a generation holds the incident's row, as we do.
const NEWEST = `
  SELECT newest.* FROM ${inputOf(targetColumns)} CROSS JOIN LATERAL (
    SELECT id, incident_id, destination, delivery_state, desired_version, applied_version, due_ms, not_before_ms,
      wish_due_ms, lease_token, priority
    FROM delivery
    WHERE delivery.incident_id = input.incident_id AND delivery.destination = input.destination
    ORDER BY generation DESC LIMIT 1 FOR UPDATE
  ) AS newest`;

const insertColumns: readonly Column<Planned>[] = [
  { name: "incident_id", type: "text", of: ({ target }) => target.incident_id },
  { name: "destination", type: "text", of: ({ target }) => target.destination },
  { name: "desired_version", type: "bigint", of: ({ schedule }) => schedule.desired_version },
  { name: "due_ms", type: "bigint", of: ({ schedule }) => schedule.due_ms },
  { name: "priority", type: "text", of: ({ schedule }) => schedule.priority },
];

const INSERT = `
  INSERT INTO delivery (incident_id, destination, generation, delivery_state, desired_version, due_ms, priority)
  SELECT incident_id, destination, 1, 'due', desired_version, due_ms, priority FROM ${inputOf(insertColumns)}
  ORDER BY ordinality`;

const updateColumns: readonly Column<Planned>[] = [
  { name: "id", type: "bigint", of: ({ id }) => id },
  { name: "delivery_state", type: "text", of: ({ schedule }) => schedule.delivery_state },
  { name: "desired_version", type: "bigint", of: ({ schedule }) => schedule.desired_version },
  { name: "due_ms", type: "bigint", of: ({ schedule }) => schedule.due_ms },
  { name: "wish_due_ms", type: "bigint", of: ({ schedule }) => schedule.wish_due_ms },
  { name: "priority", type: "text", of: ({ schedule }) => schedule.priority },
];

const UPDATE = `
  UPDATE delivery SET delivery_state = input.delivery_state, desired_version = input.desired_version,
    due_ms = input.due_ms, wish_due_ms = input.wish_due_ms, priority = input.priority
  FROM ${inputOf(updateColumns)} WHERE delivery.id = input.id`;

/**
 * Turns C's wishes into due deliveries; the port says how. The transaction must hold the incidents' rows locked, so that
 * no router starts a generation between the look and the change.
 */
export async function applyWishes(
  statements: Statements,
  wishes: readonly DeliveryWish[],
  coalesceMs: number,
): Promise<void> {
  if (wishes.length === 0) return;
  const planned = await plan(statements, wishes, coalesceMs);
  for (const chunk of chunksOf(planned.filter(({ id }) => id === null))) {
    await statements.change(INSERT, arraysOf(insertColumns, chunk));
  }
  for (const chunk of chunksOf(planned.filter(({ id }) => id !== null))) {
    await statements.change(UPDATE, arraysOf(updateColumns, chunk));
  }
}

async function plan(statements: Statements, wishes: readonly DeliveryWish[], coalesceMs: number): Promise<Planned[]> {
  const plans = new Map<string, Planned>();
  for (const stored of await newestOf(statements, wishes)) {
    plans.set(nameOf(stored), { id: stored.id, target: stored, schedule: stored });
  }
  for (const wish of wishes) {
    const known = plans.get(nameOf(wish));
    plans.set(nameOf(wish), {
      id: known?.id ?? null,
      target: wish,
      schedule: known === undefined ? firstSchedule(wish) : wished(known.schedule, wish, coalesceMs),
    });
  }
  return [...plans.values()];
}

async function newestOf(statements: Statements, wishes: readonly DeliveryWish[]): Promise<StoredSchedule[]> {
  const targets = [...new Map<string, Target>(wishes.map((wish) => [nameOf(wish), wish])).values()];
  targets.sort((left, right) => compareTexts(nameOf(left), nameOf(right)));
  const found: StoredSchedule[] = [];
  for (const chunk of chunksOf(targets)) {
    found.push(...(await statements.rows<StoredSchedule>(NEWEST, arraysOf(targetColumns, chunk))));
  }
  return found;
}

const nameOf = ({ incident_id, destination }: Target) => JSON.stringify([incident_id, destination]);

function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
