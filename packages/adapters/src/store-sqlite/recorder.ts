import type { DatabaseSync } from "node:sqlite";
import type { CommitMeta, CommitResult, IncidentRecorder, IncidentRow, Refusal } from "@winnow/ports";
import { command, query } from "./engine/database.ts";
import { assert } from "./engine/failure.ts";
import { incidentColumns, rowOfIncident, type StoredIncident } from "./incident-rows.ts";
import type { Sync } from "./operations.ts";
import type { IncidentTuple, PackedBatch, PackedDeadLetter, PackedRecordCommit } from "./packed-batch.ts";
import { wishWriter } from "./wishes.ts";

export interface RecorderOptions {
  readonly partitions: number;
  readonly coalesceMs: number;
}

/** The port's calls as the thread answers them; commits come packed. */
export interface RecorderOperations extends Omit<Sync<IncidentRecorder>, "commit"> {
  commit(partition: number, token: string, previous: number, commit: PackedRecordCommit): CommitResult;
}

/** Stage C's side: each operation runs inside a transaction of the caller's. */
export function recorderOperations(db: DatabaseSync, options: RecorderOptions): RecorderOperations {
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
    commit: (partition, token, previous, { position, meta, batch }) => {
      const refusal = fence(partition, token, previous);
      if (refusal !== null) return refusal;
      write(batch);
      advance(position, meta, partition);
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

/** An incident of the batch as it is stored: its row and the number of the last timeline line it will have. */
interface Placed {
  readonly id: number;
  nextSeq: number;
}

function batchWriter(db: DatabaseSync, coalesceMs: number): (batch: PackedBatch) => void {
  const putIncident = incidentWriter(db);
  const reserve = lineReserver(db);
  const putMember = command(
    db,
    `INSERT INTO member (incident, fingerprint, episode_id, joined_ms, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (fingerprint, incident, episode_id) DO UPDATE
     SET joined_ms = excluded.joined_ms, body = excluded.body`,
  );
  const putLine = command(db, "INSERT INTO timeline (incident, seq, body) VALUES (?, ?, ?)");
  const wish = wishWriter(db, coalesceMs);
  const putDeadLetter = deadLetterWriter(db);
  return ({ incidents, members, timeline, wishes, dead_letters }) => {
    // A storm adds hundreds of lines to one incident: they are counted first, so that its row is written once.
    const lines = new Map<string, number>();
    for (const id of timeline.incidents) lines.set(id, (lines.get(id) ?? 0) + 1);
    const placed = new Map<string, Placed>();
    for (const row of incidents) placed.set(row[0], putIncident(row, lines.get(row[0]) ?? 0));
    const placeOf = (id: string): Placed => {
      const known = placed.get(id);
      if (known !== undefined) return known;
      const place = reserve(id, lines.get(id) ?? 0);
      placed.set(id, place);
      return place;
    };
    for (const [at, id] of members.incidents.entries())
      putMember(
        placeOf(id).id,
        members.fingerprints[at] ?? "",
        members.episodes[at] ?? "",
        members.joined[at] ?? 0,
        members.bodies[at] ?? "",
      );
    for (const [at, id] of timeline.incidents.entries()) {
      const place = placeOf(id);
      putLine(place.id, place.nextSeq, timeline.bodies[at] ?? "");
      place.nextSeq += 1;
    }
    for (const wanted of wishes) wish(wanted);
    for (const step of dead_letters) putDeadLetter(step);
  };
}

/** Writes an incident's row and reserves `lines` numbers of its timeline. */
function incidentWriter(db: DatabaseSync): (row: IncidentTuple, lines: number) => Placed {
  const put = query<{ id: number; timeline_seq: number }>(
    db,
    `INSERT INTO incident
       (incident_id, tenant, number, state, priority, opened_ms, search, destinations, action_ids, snapshot, timeline_seq)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (incident_id) DO UPDATE
     SET tenant = excluded.tenant, number = excluded.number, state = excluded.state, priority = excluded.priority,
       opened_ms = excluded.opened_ms, search = excluded.search, destinations = excluded.destinations,
       action_ids = excluded.action_ids, snapshot = excluded.snapshot,
       timeline_seq = incident.timeline_seq + excluded.timeline_seq
     RETURNING id, timeline_seq`,
  );
  return (row, lines) => {
    const stored = put.get(...row, lines);
    assert(stored !== undefined, "an upsert returns its row");
    return { id: stored.id, nextSeq: stored.timeline_seq - lines + 1 };
  };
}

/** Reserves numbers in the timeline of an incident that the batch does not write itself. */
function lineReserver(db: DatabaseSync): (incidentId: string, lines: number) => Placed {
  const count = query<{ id: number; timeline_seq: number }>(
    db,
    "UPDATE incident SET timeline_seq = timeline_seq + ? WHERE incident_id = ? RETURNING id, timeline_seq",
  );
  return (incidentId, lines) => {
    const stored = count.get(lines, incidentId);
    assert(stored !== undefined, "the incident of a member or a line is stored");
    return { id: stored.id, nextSeq: stored.timeline_seq - lines + 1 };
  };
}

function deadLetterWriter(db: DatabaseSync): (step: PackedDeadLetter) => void {
  const put = command(
    db,
    `INSERT INTO dead_letter (id, received_ms, state, note) VALUES (?, ?, 'waiting', ?)
     ON CONFLICT (id) DO UPDATE SET received_ms = excluded.received_ms, state = 'waiting', note = excluded.note`,
  );
  const change = command(db, "UPDATE dead_letter SET state = ?1, attempts = attempts + (?1 = 'retried') WHERE id = ?2");
  return (step) => {
    if ("state" in step) change(step.state, step.id);
    else put(step.id, step.received_ms, step.note);
  };
}
