import type { TimelineEntry } from "@winnow/contracts";
import { assert } from "@winnow/platform";
import type { DeliveryKey, DeliveryQueue, DeliveryRow, DeliveryUpdate, DeliveryWish } from "@winnow/ports";

const coalesceMs = 15_000;

type Row = { -readonly [Field in keyof DeliveryRow]: DeliveryRow[Field] } & {
  /** When the newest wish wants to be delivered, while one is under way. */
  wished_ms: number | null;
  /** The time that the last attempt was put off to. */
  not_before_ms: number | null;
};

type LeaseOptions = Parameters<DeliveryQueue["lease"]>[1];

/** Desired and applied state of every incident at every destination. Every method is one transaction. */
export class DeliveryTable {
  readonly #rows: Row[] = [];
  readonly #tell: (incidentId: string, entry: TimelineEntry) => void;
  /** Rows in flight that another router took over after their lease. */
  takenOver = 0;

  /** `tell` writes a line of an incident's timeline, in the same transaction. */
  constructor(tell: (incidentId: string, entry: TimelineEntry) => void) {
    this.#tell = tell;
  }

  rows(): readonly DeliveryRow[] {
    return this.#rows;
  }

  /** Rows as the port gives them, in order of incident, destination, generation. */
  rowsOf(incidentIds: readonly string[]): DeliveryRow[] {
    return this.#rows
      .filter((row) => incidentIds.includes(row.incident_id))
      .map(plain)
      .toSorted(
        (left, right) =>
          left.incident_id.localeCompare(right.incident_id) ||
          left.destination.localeCompare(right.destination) ||
          left.generation - right.generation,
      );
  }

  wish(wish: DeliveryWish): void {
    const row = this.#newest(wish.incident_id, wish.destination);
    if (row === undefined) {
      this.#rows.push(born(wish, 1, { desired: wish.desired_version, due: wish.at_ms }));
      return;
    }
    row.desired_version = Math.max(row.desired_version, wish.desired_version);
    row.priority = wish.priority;
    if (row.desired_version > row.applied_version) comeDue(row, wish.urgent ? wish.at_ms : wish.at_ms + coalesceMs);
  }

  lease(destination: string, options: LeaseOptions, now: number): DeliveryRow[] {
    const { token, leaseMs, killMs, limit } = options;
    for (const row of this.#rows) {
      if (row.destination !== destination || row.delivery_state !== "inflight") continue;
      if ((row.lease_until_ms ?? 0) + killMs > now) continue;
      this.takenOver += 1;
      this.#lose(row, now);
    }
    const free = this.#rows.filter(
      (row) => row.destination === destination && isDue(row, now) && (row.lease_until_ms ?? 0) <= now,
    );
    free.sort((left, right) => left.priority.localeCompare(right.priority) || (left.due_ms ?? 0) - (right.due_ms ?? 0));
    const incidents = new Set<string>();
    const leased: DeliveryRow[] = [];
    for (const row of free) {
      if (leased.length === limit) break;
      if (incidents.has(row.incident_id)) continue;
      incidents.add(row.incident_id);
      row.lease_token = token;
      row.lease_until_ms = now + leaseMs;
      leased.push(plain(row));
    }
    return leased;
  }

  markInflight(key: DeliveryKey, token: string, sent: { version: number; seq: number }, now: number): number | null {
    const row = this.#find(key);
    if (row === undefined || row.lease_token !== token || (row.lease_until_ms ?? 0) <= now) return null;
    if (row.delivery_state !== "due" && row.delivery_state !== "unknown") return null;
    row.delivery_state = "inflight";
    row.sent_ms = now;
    row.sent_version = sent.version;
    row.sent_seq = sent.seq;
    row.not_before_ms = null;
    return now;
  }

  settle(key: DeliveryKey, token: string, update: DeliveryUpdate, now: number): boolean {
    const row = this.#find(key);
    if (row === undefined || row.lease_token !== token) return false;
    const { timeline, successor = false, ...fields } = update;
    endAttempt(row, fields, successor);
    scheduleAfter(row, { now, dueMs: fields.due_ms ?? now, successor });
    if (successor) this.#rows.push(born(row, row.generation + 1, { desired: row.desired_version, due: now }));
    if (timeline !== undefined) this.#tell(row.incident_id, timeline);
    return true;
  }

  recoverInflight(now: number): number {
    let lost = 0;
    for (const row of this.#rows) {
      row.lease_token = null;
      row.lease_until_ms = null;
      if (row.delivery_state !== "inflight") continue;
      this.#lose(row, now);
      lost += 1;
    }
    return lost;
  }

  nextDue(destination: string, now: number): number | null {
    let next: number | null = null;
    for (const row of this.#rows) {
      if (row.destination !== destination) continue;
      if (row.delivery_state !== "due" && row.delivery_state !== "unknown") continue;
      const lease = row.lease_until_ms ?? 0;
      const at = Math.max(row.due_ms ?? 0, lease > now ? lease : 0);
      next = next === null ? at : Math.min(next, at);
    }
    return next;
  }

  requeue(destination: string, now: number): number {
    let count = 0;
    for (const row of this.#rows) {
      if (row.destination !== destination || (row.delivery_state !== "parked" && row.delivery_state !== "dead"))
        continue;
      if (this.#newest(row.incident_id, row.destination) !== row) continue;
      row.delivery_state = row.sent_ms === null ? "due" : "unknown";
      row.due_ms = now;
      row.attempts = 0;
      count += 1;
    }
    return count;
  }

  #lose(row: Row, now: number): void {
    row.delivery_state = "unknown";
    row.due_ms = now;
    row.lease_token = null;
    row.lease_until_ms = null;
  }

  #find(key: DeliveryKey): Row | undefined {
    return this.#rows.find(
      (row) =>
        row.incident_id === key.incident_id && row.destination === key.destination && row.generation === key.generation,
    );
  }

  #newest(incidentId: string, destination: string): Row | undefined {
    return this.#rows.findLast((row) => row.incident_id === incidentId && row.destination === destination);
  }
}

function plain({ wished_ms: _wished, not_before_ms: _notBefore, ...row }: Row): DeliveryRow {
  return row;
}

/** A wish wants the row delivered at `wanted`, as far as its state lets it. */
function comeDue(row: Row, wanted: number): void {
  const wished = Math.min(row.wished_ms ?? wanted, wanted);
  switch (row.delivery_state) {
    case "idle":
      row.delivery_state = "due";
      row.due_ms = wanted;
      return;
    case "due":
      row.due_ms = Math.max(row.not_before_ms ?? 0, Math.min(row.due_ms ?? wanted, wanted));
      // A router may have read the row already: then the wish is for the attempt after this one.
      if (row.lease_token !== null) row.wished_ms = wished;
      return;
    case "inflight":
    case "unknown":
      row.wished_ms = wished;
      return;
    case "parked":
    case "dead":
  }
}

/** What the attempt came to is written down, and the lease is over. */
function endAttempt(row: Row, update: Omit<DeliveryUpdate, "timeline" | "successor">, successor: boolean): void {
  const ends = update.delivery_state;
  assert(ends !== "inflight", "an attempt does not end in flight");
  assert(!successor || (ends !== "due" && ends !== "unknown"), "the generation before a successor is over");
  const putAside = row.delivery_state === "unknown" && (ends === "parked" || ends === "dead");
  Object.assign(row, update, { lease_token: null, lease_until_ms: null, not_before_ms: null, due_ms: null });
  if (ends !== "unknown" && !putAside) Object.assign(row, { sent_ms: null, sent_version: null, sent_seq: null });
}

/** When the next attempt is due, if there is one. */
function scheduleAfter(row: Row, when: { now: number; dueMs: number; successor: boolean }): void {
  const ended = row.delivery_state;
  if (ended === "due" || ended === "unknown") row.due_ms = when.dueMs;
  if (ended === "due") row.not_before_ms = when.dueMs;
  if (ended === "idle" && !when.successor && row.applied_version < row.desired_version) {
    row.delivery_state = "due";
    row.due_ms = row.wished_ms ?? when.now;
  }
  if (ended !== "unknown") row.wished_ms = null;
}

function isDue(row: Row, now: number): boolean {
  return (row.delivery_state === "due" || row.delivery_state === "unknown") && (row.due_ms ?? 0) <= now;
}

function born(
  of: Pick<DeliveryRow, "incident_id" | "destination" | "priority">,
  generation: number,
  when: { readonly desired: number; readonly due: number },
): Row {
  return {
    incident_id: of.incident_id,
    destination: of.destination,
    generation,
    delivery_state: "due",
    desired_version: when.desired,
    applied_version: 0,
    applied_seq: 0,
    remote_id: null,
    remote_url: null,
    attempts: 0,
    due_ms: when.due,
    sent_ms: null,
    sent_version: null,
    sent_seq: null,
    priority: of.priority,
    lease_token: null,
    lease_until_ms: null,
    last_error: null,
    wished_ms: null,
    not_before_ms: null,
  };
}
