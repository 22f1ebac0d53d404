import type { DatabaseSync } from "node:sqlite";
import type { DeadLetterNote, IncidentMember } from "@winnow/contracts";
import type { CommitMeta, DeadLetterChange, IncidentRecorder, IncidentRow, RecordBatch, Refusal } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";
import { incidentColumns, rowOfIncident, type StoredIncident } from "./incident-rows.ts";
import type { Sync } from "./operations.ts";
import { type AppendTimeline, timelineAppender } from "./timeline.ts";
import { wishWriter } from "./wishes.ts";

export interface RecorderOptions {
  readonly partitions: number;
  readonly coalesceMs: number;
}

/** Stage C's side: each operation runs inside a transaction of the caller's. */
export function recorderOperations(db: DatabaseSync, options: RecorderOptions): Sync<IncidentRecorder> {
  const owner = query<{ token: string; position: number }>(
    db,
    "SELECT token, position FROM recorder WHERE partition = ?",
  );
  const incident = query<StoredIncident>(db, `SELECT ${incidentColumns} FROM incident WHERE incident_id = ?`);
  const advance = command(db, "UPDATE recorder SET position = ?, meta = ? WHERE partition = ?");
  const write = batchWriter(db, options.coalesceMs);

  const fence = (partition: number, token: string, position: number): Refusal | null => {
    assertPartition(partition, options.partitions);
    const stored = owner.get(partition);
    if (stored?.token !== token) return { refused: "fenced" };
    return stored.position === position ? null : { refused: "position" };
  };
  return {
    claim: claimer(db, options.partitions),
    load: (partition, token, position, ids) =>
      fence(partition, token, position) ?? { rows: ids.flatMap((id) => rowsOf(incident.get(id))) },
    commit: (partition, token, previous, { meta, batch }) => {
      const refusal = fence(partition, token, previous);
      if (refusal !== null) return refusal;
      write(batch);
      advance(meta.position, JSON.stringify(meta), partition);
      return { committed: true };
    },
    verify: (partition, token, position) => fence(partition, token, position) === null,
  };
}

function assertPartition(partition: number, partitions: number): void {
  assert(Number.isInteger(partition) && partition >= 0 && partition < partitions, "the partition exists");
}

function claimer(db: DatabaseSync, partitions: number): Sync<IncidentRecorder>["claim"] {
  const take = query<{ meta: string | null }>(
    db,
    `INSERT INTO recorder (partition, token, position, meta) VALUES (?, ?, 0, NULL)
     ON CONFLICT (partition) DO UPDATE SET token = excluded.token RETURNING meta`,
  );
  return (partition, token) => {
    assertPartition(partition, partitions);
    const taken = take.get(partition, token);
    assert(taken !== undefined, "an upsert returns its row");
    return { meta: taken.meta === null ? null : (JSON.parse(taken.meta) as CommitMeta), deadlines: [] };
  };
}

function rowsOf(found: StoredIncident | undefined): IncidentRow[] {
  return found === undefined ? [] : [rowOfIncident(found)];
}

function batchWriter(db: DatabaseSync, coalesceMs: number): (batch: RecordBatch) => void {
  const putIncident = incidentWriter(db);
  const putMember = memberWriter(db);
  const append: AppendTimeline = timelineAppender(db);
  const wish = wishWriter(db, coalesceMs);
  const deadLetters = deadLetterWriter(db);
  return (batch) => {
    for (const row of batch.incidents) putIncident(row);
    for (const { incident_id, member } of batch.members) putMember(incident_id, member);
    for (const { incident_id, row } of batch.timeline) {
      const { seq: _counted, ...entry } = row;
      append(incident_id, entry);
    }
    for (const wanted of batch.wishes) wish(wanted);
    for (const step of batch.dead_letters)
      if ("state" in step) deadLetters.change(step);
      else deadLetters.put(step);
  };
}

function incidentWriter(db: DatabaseSync): (row: IncidentRow) => void {
  const put = command(
    db,
    `INSERT INTO incident
       (incident_id, tenant, number, state, priority, opened_ms, search, destinations, action_ids, snapshot)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (incident_id) DO UPDATE
     SET tenant = excluded.tenant, number = excluded.number, state = excluded.state, priority = excluded.priority,
       opened_ms = excluded.opened_ms, search = excluded.search, destinations = excluded.destinations,
       action_ids = excluded.action_ids, snapshot = excluded.snapshot`,
  );
  return ({ snapshot, destinations, action_ids }) => {
    put(
      snapshot.incident_id,
      snapshot.tenant,
      snapshot.number,
      snapshot.state,
      snapshot.priority,
      snapshot.opened_ms,
      searchText(snapshot),
      JSON.stringify(destinations),
      JSON.stringify(action_ids),
      JSON.stringify(snapshot),
    );
  };
}

/** What `q` looks through, in lower case. */
function searchText({ title, service, group_key, number }: IncidentRow["snapshot"]): string {
  const parts = [title, service ?? "", ...group_key.map(({ k, v }) => `${k}=${v}`), String(number)];
  return parts.join("\n").toLowerCase();
}

function memberWriter(db: DatabaseSync): (incidentId: string, member: IncidentMember) => void {
  const put = command(
    db,
    `INSERT INTO member (incident, fingerprint, episode_id, joined_ms, body)
     SELECT id, ?, ?, ?, ? FROM incident WHERE incident_id = ?
     ON CONFLICT (incident, fingerprint, episode_id) DO UPDATE
     SET joined_ms = excluded.joined_ms, body = excluded.body`,
  );
  return (incidentId, member) => {
    const { fingerprint, episode, joined_ms } = member;
    const changed = put(fingerprint, episode.id, joined_ms, JSON.stringify(member), incidentId);
    assert(changed === 1, "a member's incident is stored");
  };
}

function deadLetterWriter(db: DatabaseSync): {
  put: (note: DeadLetterNote) => void;
  change: (change: DeadLetterChange) => void;
} {
  const put = command(
    db,
    `INSERT INTO dead_letter (id, received_ms, state, note) VALUES (?, ?, 'waiting', ?)
     ON CONFLICT (id) DO UPDATE SET received_ms = excluded.received_ms, state = 'waiting', note = excluded.note`,
  );
  const change = command(db, "UPDATE dead_letter SET state = ?1, attempts = attempts + (?1 = 'retried') WHERE id = ?2");
  return {
    put: (note) => void put(note.id, note.received_ms, JSON.stringify(note)),
    change: ({ id, state }) => void change(state, id),
  };
}
