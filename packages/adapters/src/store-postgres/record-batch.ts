import type { IncidentMember } from "@winnow/contracts";
import { assert } from "@winnow/platform";
import type { IncidentRow, RecordBatch } from "@winnow/ports";
import { applyDeadLetters } from "./dead-letters.ts";
import { arraysOf, type Column, chunksOf, inputOf, namesOf, replacing } from "./engine/columns.ts";
import type { Statements } from "./engine/postgres.ts";
import { incidentInputColumns } from "./incident-rows.ts";
import { insertTimeline } from "./timeline.ts";
import { applyWishes } from "./wishes.ts";

/** An incident's row as the transaction holds it: locked, with the number that its next timeline row gets. */
interface Held {
  readonly id: number;
  nextSeq: number;
}

interface Returned {
  readonly id: number;
  readonly incident_id: string;
  /** After the timeline rows of this commit were counted in. */
  readonly timeline_seq: number;
}

const PUT_INCIDENTS = `
  INSERT INTO incident (${namesOf(incidentInputColumns)})
  SELECT ${namesOf(incidentInputColumns)} FROM ${inputOf(incidentInputColumns)} ORDER BY ordinality
  ON CONFLICT (incident_id) DO UPDATE SET ${replacing(incidentInputColumns, "incident_id", "timeline_seq")},
    timeline_seq = incident.timeline_seq + excluded.timeline_seq
  RETURNING id, incident_id, timeline_seq`;

interface Count {
  readonly incident_id: string;
  readonly n: number;
}

const countColumns: readonly Column<Count>[] = [
  { name: "incident_id", type: "text", of: ({ incident_id }) => incident_id },
  { name: "n", type: "bigint", of: ({ n }) => n },
];

// Locked one by one in the order of their ids, then counted: an UPDATE alone would lock them in any order.
const COUNT_IN = `
  WITH held AS MATERIALIZED (
    SELECT incident.id, input.n FROM incident JOIN ${inputOf(countColumns)} USING (incident_id)
    ORDER BY incident_id FOR UPDATE OF incident
  )
  UPDATE incident SET timeline_seq = timeline_seq + held.n FROM held WHERE incident.id = held.id
  RETURNING incident.id, incident_id, timeline_seq`;

interface MemberInput {
  readonly incident: number;
  readonly member: IncidentMember;
}

const memberColumns: readonly Column<MemberInput>[] = [
  { name: "incident", type: "bigint", of: ({ incident }) => incident },
  { name: "fingerprint", type: "text", of: ({ member }) => member.fingerprint },
  { name: "episode_id", type: "text", of: ({ member }) => member.episode.id },
  { name: "joined_ms", type: "bigint", of: ({ member }) => member.joined_ms },
  { name: "body", type: "text", of: ({ member }) => JSON.stringify(member) },
];

const PUT_MEMBERS = `
  INSERT INTO member (${namesOf(memberColumns)})
  SELECT ${namesOf(memberColumns)} FROM ${inputOf(memberColumns)} ORDER BY ordinality
  ON CONFLICT (incident, fingerprint, episode_id) DO UPDATE
  SET joined_ms = excluded.joined_ms, body = excluded.body`;

/** Writes all of C's changes inside the caller's transaction: incidents first, which locks what the rest belongs to. */
export async function writeBatch(statements: Statements, batch: RecordBatch, coalesceMs: number): Promise<void> {
  const held = await holdIncidents(statements, batch);
  await putMembers(statements, batch.members, held);
  await insertTimeline(
    statements,
    batch.timeline.map(({ incident_id, row }) => {
      const { seq: _counted, ...entry } = row;
      const incident = of(held, incident_id);
      const seq = incident.nextSeq;
      incident.nextSeq += 1;
      return { incident: incident.id, seq, entry };
    }),
  );
  await applyWishes(statements, batch.wishes, coalesceMs);
  await applyDeadLetters(statements, batch.dead_letters);
}

function of(held: ReadonlyMap<string, Held>, incidentId: string): Held {
  const incident = held.get(incidentId);
  assert(incident !== undefined, "the incident of a member, a timeline row or a wish is stored");
  return incident;
}

/** Writes and locks the batch's incidents and locks the others that it speaks of. */
async function holdIncidents(statements: Statements, batch: RecordBatch): Promise<ReadonlyMap<string, Held>> {
  const counts = new Map<string, number>();
  for (const { incident_id } of batch.timeline) counts.set(incident_id, (counts.get(incident_id) ?? 0) + 1);
  const held = new Map<string, Held>();
  const take = (rows: readonly Returned[]) => {
    for (const { id, incident_id, timeline_seq } of rows) {
      held.set(incident_id, { id, nextSeq: timeline_seq - (counts.get(incident_id) ?? 0) + 1 });
    }
  };
  const rows = new Map<string, IncidentRow>(batch.incidents.map((row) => [row.snapshot.incident_id, row]));
  for (const chunk of chunksOf(sorted(rows.keys()))) {
    const inputs = chunk.flatMap((id) => {
      const row = rows.get(id);
      return row === undefined ? [] : [{ row, timelineRows: counts.get(id) ?? 0 }];
    });
    take(await statements.rows<Returned>(PUT_INCIDENTS, arraysOf(incidentInputColumns, inputs)));
  }
  const others = [...batch.members, ...batch.timeline, ...batch.wishes].map(({ incident_id }) => incident_id);
  for (const chunk of chunksOf(sorted(new Set(others)).filter((id) => !rows.has(id)))) {
    const inputs = chunk.map((incident_id) => ({ incident_id, n: counts.get(incident_id) ?? 0 }));
    take(await statements.rows<Returned>(COUNT_IN, arraysOf(countColumns, inputs)));
  }
  for (const id of others) of(held, id);
  return held;
}

/** In the order of UTF-16 units, the same in every process: rows are locked in it. */
function sorted(ids: Iterable<string>): string[] {
  return [...ids].toSorted((left, right) => (left < right ? -1 : 1));
}

async function putMembers(
  statements: Statements,
  members: RecordBatch["members"],
  held: ReadonlyMap<string, Held>,
): Promise<void> {
  // One statement takes a row once: of several states of an episode the last counts, in the place of the first.
  const inputs = new Map<string, MemberInput>();
  for (const { incident_id, member } of members) {
    const key = JSON.stringify([incident_id, member.fingerprint, member.episode.id]);
    inputs.set(key, { incident: of(held, incident_id).id, member });
  }
  for (const chunk of chunksOf([...inputs.values()]))
    await statements.change(PUT_MEMBERS, arraysOf(memberColumns, chunk));
}
