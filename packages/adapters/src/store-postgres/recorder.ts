import { assert } from "@winnow/platform";
import type { CommitMeta, IncidentRecorder, Refusal } from "@winnow/ports";
import type { Postgres } from "./engine/postgres.ts";
import { incidentColumns, rowOfIncident, type StoredIncident } from "./incident-rows.ts";
import { writeBatch } from "./record-batch.ts";

export interface RecorderOptions {
  readonly partitions: number;
  readonly coalesceMs: number;
}

interface Owner {
  readonly token: string;
  readonly position: number;
}

const CLAIM = `
  INSERT INTO recorder (partition, token, position, meta) VALUES ($1, $2, 0, NULL)
  ON CONFLICT (partition) DO UPDATE SET token = excluded.token RETURNING meta`;
const OWNER = "SELECT token, position FROM recorder WHERE partition = $1";
const ADVANCE = "UPDATE recorder SET position = $2, meta = $3 WHERE partition = $1";
// One statement sees one moment: when token and position are ours in it, the rows are those of our last commit.
const LOAD = `
  SELECT recorder.token, recorder.position, ${incidentColumns}
  FROM recorder LEFT JOIN incident ON incident.incident_id = ANY ($2::text[]) WHERE recorder.partition = $1`;

/** Stage C's side. */
export function recorderOperations(postgres: Postgres, options: RecorderOptions): IncidentRecorder {
  const { partitions, coalesceMs } = options;
  const assertPartition = (partition: number) =>
    assert(Number.isInteger(partition) && partition >= 0 && partition < partitions, "the partition exists");
  return {
    claim: async (partition, token) => {
      assertPartition(partition);
      const [taken] = await postgres.write<{ meta: string | null }>(CLAIM, [partition, token]);
      assert(taken !== undefined, "an upsert returns its row");
      return { meta: taken.meta === null ? null : (JSON.parse(taken.meta) as CommitMeta), deadlines: [] };
    },
    load: async (partition, token, position, ids) => {
      assertPartition(partition);
      const found = await postgres.read<Owner & (StoredIncident | { readonly incident_id: null })>(LOAD, [
        partition,
        ids,
      ]);
      const refusal = refusalOf(found[0], token, position);
      if (refusal !== null) return refusal;
      const stored = new Map<string, StoredIncident>();
      for (const row of found) if (row.incident_id !== null) stored.set(row.incident_id, row);
      return { rows: ids.flatMap((id) => rowsOf(stored.get(id))) };
    },
    commit: async (partition, token, previous, { meta, batch }) => {
      assertPartition(partition);
      return postgres.transaction(async (statements) => {
        const [owner] = await statements.rows<Owner>(`${OWNER} FOR UPDATE`, [partition]);
        const refusal = refusalOf(owner, token, previous);
        if (refusal !== null) return refusal;
        await writeBatch(statements, batch, coalesceMs);
        await statements.change(ADVANCE, [partition, meta.position, JSON.stringify(meta)]);
        return { committed: true };
      });
    },
    verify: async (partition, token, position) => {
      assertPartition(partition);
      const [owner] = await postgres.read<Owner>(OWNER, [partition]);
      return refusalOf(owner, token, position) === null;
    },
  };
}

function refusalOf(stored: Owner | undefined, token: string, position: number): Refusal | null {
  if (stored?.token !== token) return { refused: "fenced" };
  return stored.position === position ? null : { refused: "position" };
}

function rowsOf(found: StoredIncident | undefined) {
  return found === undefined ? [] : [rowOfIncident(found)];
}
