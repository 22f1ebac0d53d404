import type { DatabaseSync } from "node:sqlite";
import type { DeadLetterNote, IncidentMember, TimelineEntry } from "@winnow/contracts";
import type { CommitMeta, DeadLetterRow, IncidentReader } from "@winnow/ports";
import { deliveryColumns, rowOfDelivery, type StoredDelivery } from "./delivery-rows.ts";
import { query } from "./engine/database.ts";
import { incidentColumns, rowOfIncident, type StoredIncident } from "./incident-rows.ts";
import type { Sync } from "./operations.ts";
import { among, type Condition, eachOf, everything, readPage } from "./pages.ts";

type Reads = Sync<IncidentReader>;

/** What the API and the renderer of tickets read. */
export function readerOperations(db: DatabaseSync, partitions: number): Reads {
  const incident = query<StoredIncident>(db, `SELECT ${incidentColumns} FROM incident WHERE incident_id = ?`);
  return {
    incident: (id) => {
      const found = incident.get(id);
      return found === undefined ? null : rowOfIncident(found);
    },
    incidents: (filter) =>
      readPage(
        db,
        {
          columns: incidentColumns,
          from: "incident",
          order: ["opened_ms", "incident_id"],
          where: [...among("priority", filter.priorities), ...wordsOf(filter.q)],
          anyOf: eachOf("state", filter.states),
          limit: filter.limit,
          cursor: filter.cursor,
        },
        rowOfIncident,
      ),
    ...memberReads(db),
    timeline: timelineReader(db),
    ...deliveryReads(db),
    ...deadLetterReads(db),
    recordMetas: metaReader(db, partitions),
    counts: counter(db),
  };
}

function wordsOf(q: string | undefined): Condition[] {
  const words = new Set(
    (q ?? "")
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== ""),
  );
  if (words.size === 0) return [];
  const all = "NOT EXISTS (SELECT 1 FROM json_each(?) AS word WHERE instr(incident.search, word.value) = 0)";
  return [{ sql: all, values: [JSON.stringify([...words])] }];
}

function memberReads(db: DatabaseSync): Pick<Reads, "members" | "incidentsOfAlerts"> {
  const id = query<{ id: number }>(db, "SELECT id FROM incident WHERE incident_id = ?");
  const newest = query<{ incident_id: string }>(
    db,
    `SELECT incident.incident_id FROM member JOIN incident ON incident.id = member.incident
     WHERE member.fingerprint = ? ORDER BY incident.opened_ms DESC, incident.incident_id DESC LIMIT 1`,
  );
  return {
    members: (incidentId, { limit, cursor }) => {
      const of: Condition = { sql: "incident = ?", values: [id.get(incidentId)?.id ?? null] };
      const listing = { columns: "body", from: "member", order: ["joined_ms", "id"], anyOf: [everything] } as const;
      return readPage<{ body: string }, IncidentMember>(
        db,
        { ...listing, where: [of], limit, cursor },
        (row) => JSON.parse(row.body) as IncidentMember,
      );
    },
    incidentsOfAlerts: (fingerprints) => {
      const found = new Map<string, string>();
      for (const fingerprint of fingerprints) {
        const row = newest.get(fingerprint);
        if (row !== undefined) found.set(fingerprint, row.incident_id);
      }
      return found;
    },
  };
}

function timelineReader(db: DatabaseSync): Reads["timeline"] {
  const rows = query<{ seq: number; body: string }>(
    db,
    `SELECT timeline.seq, timeline.body FROM timeline JOIN incident ON incident.id = timeline.incident
     WHERE incident.incident_id = ? AND timeline.seq > ? ORDER BY timeline.seq LIMIT ?`,
  );
  return (id, after, limit) =>
    rows.all(id, after, limit).map(({ seq, body }) => ({ ...(JSON.parse(body) as TimelineEntry), seq }));
}

function deliveryReads(db: DatabaseSync): Pick<Reads, "deliveriesOf" | "deliveries"> {
  const of = query<StoredDelivery>(
    db,
    `SELECT ${deliveryColumns} FROM delivery WHERE incident_id = ? ORDER BY destination, generation`,
  );
  return {
    deliveriesOf: (ids) => [...new Set(ids)].toSorted().flatMap((id) => of.all(id).map(rowOfDelivery)),
    deliveries: (filter) =>
      readPage(
        db,
        {
          columns: deliveryColumns,
          from: "delivery",
          // A row's id alone is a total order.
          order: ["id", "generation"],
          where: among("destination", filter.destination === undefined ? undefined : [filter.destination]),
          anyOf: eachOf("delivery_state", filter.states),
          limit: filter.limit,
          cursor: filter.cursor,
        },
        rowOfDelivery,
      ),
  };
}

interface StoredDeadLetter {
  readonly note: string;
  readonly attempts: number;
  readonly state: DeadLetterRow["state"];
}

function deadLetterReads(db: DatabaseSync): Pick<Reads, "deadLetters" | "deadLetter"> {
  const columns = "note, attempts, state";
  const one = query<StoredDeadLetter>(db, `SELECT ${columns} FROM dead_letter WHERE id = ?`);
  const toRow = ({ note, attempts, state }: StoredDeadLetter): DeadLetterRow => ({
    ...(JSON.parse(note) as DeadLetterNote),
    attempts,
    state,
  });
  return {
    deadLetter: (id) => {
      const found = one.get(id);
      return found === undefined ? null : toRow(found);
    },
    deadLetters: ({ states, limit, cursor }) =>
      readPage(
        db,
        {
          columns,
          from: "dead_letter",
          order: ["received_ms", "id"],
          where: [],
          anyOf: eachOf("state", states),
          limit,
          cursor,
        },
        toRow,
      ),
  };
}

function metaReader(db: DatabaseSync, partitions: number): Reads["recordMetas"] {
  const one = query<{ meta: string | null }>(db, "SELECT meta FROM recorder WHERE partition = ?");
  return () =>
    Array.from({ length: partitions }, (_, partition) => {
      const text = one.get(partition)?.meta ?? null;
      return { partition, meta: text === null ? null : (JSON.parse(text) as CommitMeta) };
    });
}

type Counts = ReturnType<Reads["counts"]>;

function counter(db: DatabaseSync): Reads["counts"] {
  const incidents = query<Counts["incidents"][number]>(
    db,
    "SELECT state, priority, count(*) AS n FROM incident GROUP BY state, priority ORDER BY state, priority",
  );
  const deliveries = query<Counts["deliveries"][number]>(
    db,
    `SELECT destination, delivery_state AS state, count(*) AS n FROM delivery
     GROUP BY destination, delivery_state ORDER BY destination, delivery_state`,
  );
  return () => ({
    incidents: incidents.all().map(({ state, priority, n }) => ({ state, priority, n })),
    deliveries: deliveries.all().map(({ destination, state, n }) => ({ destination, state, n })),
  });
}
