import type { DeadLetterNote, IncidentMember, TimelineEntry } from "@winnow/contracts";
import type { CommitMeta, DeadLetterRow, IncidentReader } from "@winnow/ports";
import { deliveryColumns, rowOfDelivery, type StoredDelivery } from "./delivery-rows.ts";
import type { Postgres } from "./engine/postgres.ts";
import { incidentColumns, rowOfIncident, type StoredIncident } from "./incident-rows.ts";
import { among, type Condition, type Listing, readPage } from "./pages.ts";

/** What the API and the renderer of tickets read. */
export function readerOperations(postgres: Postgres, partitions: number): IncidentReader {
  return {
    incident: async (id) => {
      const sql = `SELECT ${incidentColumns} FROM incident WHERE incident_id = $1`;
      const [found] = await postgres.read<StoredIncident>(sql, [id]);
      return found === undefined ? null : rowOfIncident(found);
    },
    incidents: (filter) =>
      readPage(
        postgres,
        {
          columns: incidentColumns,
          from: "incident",
          order: ["opened_ms", "incident_id"],
          second: "text",
          where: [...among("priority", filter.priorities), ...wordsOf(filter.q)],
          anyOf: eachOf("state", filter.states),
          limit: filter.limit,
          cursor: filter.cursor,
        },
        rowOfIncident,
      ),
    ...memberReads(postgres),
    timeline: timelineReader(postgres),
    ...deliveryReads(postgres),
    ...deadLetterReads(postgres),
    recordMetas: metaReader(postgres, partitions),
    counts: counter(postgres),
  };
}

function eachOf(column: string, values: readonly string[] | undefined): Listing["anyOf"] {
  return values === undefined ? null : { column, values };
}

function wordsOf(q: string | undefined): Condition[] {
  const words = (q ?? "")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return [];
  const sql = (parameter: string) =>
    `NOT EXISTS (SELECT FROM unnest(${parameter}::text[]) AS wanted (word) WHERE strpos(search, word) = 0)`;
  return [{ sql, value: [...new Set(words)] }];
}

const NEWEST_OF_ALERTS = `
  SELECT wanted.fingerprint, newest.incident_id
  FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
    SELECT incident.incident_id FROM member JOIN incident ON incident.id = member.incident
    WHERE member.fingerprint = wanted.fingerprint
    ORDER BY incident.opened_ms DESC, incident.incident_id DESC LIMIT 1
  ) AS newest`;

function memberReads(postgres: Postgres): Pick<IncidentReader, "members" | "incidentsOfAlerts"> {
  const of = (id: string): Condition => ({
    sql: (parameter) => `incident = (SELECT id FROM incident WHERE incident_id = ${parameter})`,
    value: id,
  });
  return {
    members: (id, { limit, cursor }) => {
      const listing = { columns: "body", from: "member", order: ["joined_ms", "id"], second: "number" } as const;
      return readPage<{ body: string }, IncidentMember>(
        postgres,
        { ...listing, where: [of(id)], anyOf: null, limit, cursor },
        (row) => JSON.parse(row.body) as IncidentMember,
      );
    },
    incidentsOfAlerts: async (fingerprints) => {
      const rows = await postgres.read<{ fingerprint: string; incident_id: string }>(NEWEST_OF_ALERTS, [fingerprints]);
      return new Map(rows.map(({ fingerprint, incident_id }) => [fingerprint, incident_id]));
    },
  };
}

function timelineReader(postgres: Postgres): IncidentReader["timeline"] {
  const sql = `
    SELECT timeline.seq, timeline.body FROM timeline JOIN incident ON incident.id = timeline.incident
    WHERE incident.incident_id = $1 AND timeline.seq > $2 ORDER BY timeline.seq LIMIT $3`;
  return async (id, after, limit) => {
    const rows = await postgres.read<{ seq: number; body: string }>(sql, [id, after, limit]);
    return rows.map(({ seq, body }) => ({ ...(JSON.parse(body) as TimelineEntry), seq }));
  };
}

function deliveryReads(postgres: Postgres): Pick<IncidentReader, "deliveriesOf" | "deliveries"> {
  const columns = deliveryColumns.join(", ");
  const of = `SELECT ${columns} FROM delivery WHERE incident_id = ANY ($1::text[])
    ORDER BY incident_id, destination, generation`;
  return {
    deliveriesOf: async (ids) => (await postgres.read<StoredDelivery>(of, [ids])).map(rowOfDelivery),
    deliveries: (filter) =>
      readPage(
        postgres,
        {
          columns,
          from: "delivery",
          // A row's id alone is a total order.
          order: ["id", "generation"],
          second: "number",
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

function deadLetterReads(postgres: Postgres): Pick<IncidentReader, "deadLetters" | "deadLetter"> {
  const columns = "note, attempts, state";
  const toRow = ({ note, attempts, state }: StoredDeadLetter): DeadLetterRow => ({
    ...(JSON.parse(note) as DeadLetterNote),
    attempts,
    state,
  });
  return {
    deadLetter: async (id) => {
      const sql = `SELECT ${columns} FROM dead_letter WHERE id = $1`;
      const [found] = await postgres.read<StoredDeadLetter>(sql, [id]);
      return found === undefined ? null : toRow(found);
    },
    deadLetters: ({ states, limit, cursor }) =>
      readPage(
        postgres,
        {
          columns,
          from: "dead_letter",
          order: ["received_ms", "id"],
          second: "text",
          where: [],
          anyOf: eachOf("state", states),
          limit,
          cursor,
        },
        toRow,
      ),
  };
}

function metaReader(postgres: Postgres, partitions: number): IncidentReader["recordMetas"] {
  return async () => {
    const rows = await postgres.read<{ partition: number; meta: string | null }>(
      "SELECT partition, meta FROM recorder",
    );
    const metas = new Map(rows.map(({ partition, meta }) => [partition, meta]));
    return Array.from({ length: partitions }, (_, partition) => {
      const text = metas.get(partition) ?? null;
      return { partition, meta: text === null ? null : (JSON.parse(text) as CommitMeta) };
    });
  };
}

type Counts = Awaited<ReturnType<IncidentReader["counts"]>>;

const INCIDENT_COUNTS = `
  SELECT state, priority, count(*) AS n FROM incident
  GROUP BY state, priority ORDER BY state COLLATE "C", priority COLLATE "C"`;
const DELIVERY_COUNTS = `
  SELECT destination, delivery_state AS state, count(*) AS n FROM delivery
  GROUP BY destination, delivery_state ORDER BY destination, delivery_state`;

function counter(postgres: Postgres): IncidentReader["counts"] {
  return async () => {
    const [incidents, deliveries] = await Promise.all([
      postgres.read<Counts["incidents"][number]>(INCIDENT_COUNTS),
      postgres.read<Counts["deliveries"][number]>(DELIVERY_COUNTS),
    ]);
    return {
      incidents: incidents.map(({ state, priority, n }) => ({ state, priority, n })),
      deliveries: deliveries.map(({ destination, state, n }) => ({ destination, state, n })),
    };
  };
}
