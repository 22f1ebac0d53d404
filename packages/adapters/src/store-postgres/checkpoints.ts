import { assert, WinnowError } from "@winnow/platform";
import type {
  CheckpointResult,
  CheckpointSave,
  CheckpointStore,
  CommitMeta,
  StagePartition,
  StateChange,
  StateRow,
} from "@winnow/ports";
import { arraysOf, type Column, chunksOf, inputOf } from "./engine/columns.ts";
import { fewAtOnce } from "./engine/few-at-once.ts";
import type { Postgres, Statements } from "./engine/postgres.ts";

/** States in one chunk of a checkpoint that is loaded. */
const LOAD_ROWS = 1_000;

// The row is there before it is locked, so that two first saves meet at it too.
const BEGIN_SAVING = `
  INSERT INTO checkpoint (stage, partition, position, saves, meta) VALUES ($1, $2, 0, 0, '')
  ON CONFLICT (stage, partition) DO NOTHING`;
const HOLD = "SELECT position FROM checkpoint WHERE stage = $1 AND partition = $2 FOR UPDATE";
const ADVANCE = `
  UPDATE checkpoint SET position = $3, meta = $4, saves = saves + 1 WHERE stage = $1 AND partition = $2`;

const changeColumns: readonly Column<StateChange>[] = [
  { name: "key", type: "text", of: ({ key }) => key },
  { name: "value", type: "text", of: ({ value }) => value },
  { name: "deadline_ms", type: "bigint", of: ({ deadline_ms }) => deadline_ms },
  { name: "changed_at", type: "bigint", of: ({ changed_at }) => changed_at },
];
const AT = { stage: `$${changeColumns.length + 1}`, partition: `$${changeColumns.length + 2}` };
const PUT = `
  INSERT INTO checkpoint_state (stage, partition, key, value, deadline_ms, changed_at)
  SELECT ${AT.stage}::text, ${AT.partition}::integer, key, value, deadline_ms, changed_at
  FROM ${inputOf(changeColumns)}
  ON CONFLICT (stage, partition, key) DO UPDATE SET value = excluded.value, deadline_ms = excluded.deadline_ms,
    changed_at = excluded.changed_at`;
const DROP = "DELETE FROM checkpoint_state WHERE stage = $1 AND partition = $2 AND key = ANY ($3::text[])";

const META = "SELECT saves, meta FROM checkpoint WHERE stage = $1 AND partition = $2 AND saves > 0";
// One statement sees one moment: the rows are of the save that it tells of.
const ROWS = `
  SELECT checkpoint.saves, state.key, state.value, state.deadline_ms, state.changed_at
  FROM checkpoint LEFT JOIN LATERAL (
    SELECT key, value, deadline_ms, changed_at FROM checkpoint_state
    WHERE stage = $1 AND partition = $2 AND key > $3 ORDER BY key LIMIT ${LOAD_ROWS}
  ) AS state ON TRUE
  WHERE checkpoint.stage = $1 AND checkpoint.partition = $2
  ORDER BY state.key`;

interface StoredMeta {
  readonly saves: number;
  readonly meta: string;
}

type RowOfSave = { readonly saves: number } & (StateRow | { readonly key: null });

/** Checkpoints of all stages; `savesMax` at once, since each keeps a connection for as long as its states take. */
export function checkpointOperations(postgres: Postgres, savesMax: number): CheckpointStore {
  const inTurn = fewAtOnce(savesMax);
  const stored = async ({ stage, partition }: StagePartition) =>
    (await postgres.read<StoredMeta>(META, [stage, partition]))[0];
  return {
    saveCheckpoint: async (at, save) => {
      assert(save.meta.position >= save.previous, "a checkpoint never goes backwards");
      return inTurn(() => postgres.transaction((statements) => savedIn(statements, at, save)));
    },
    loadCheckpoint: async (at) => {
      const found = await stored(at);
      if (found === undefined) return null;
      return { meta: JSON.parse(found.meta) as CommitMeta, rows: rowsOf(postgres, at, found.saves) };
    },
    checkpointMeta: async (at) => {
      const found = await stored(at);
      return found === undefined ? null : (JSON.parse(found.meta) as CommitMeta);
    },
  };
}

async function savedIn(
  statements: Statements,
  at: StagePartition,
  { previous, meta, changes: chunks }: CheckpointSave,
): Promise<CheckpointResult> {
  await statements.change(BEGIN_SAVING, [at.stage, at.partition]);
  const [held] = await statements.rows<{ position: number }>(HOLD, [at.stage, at.partition]);
  if (held?.position !== previous) return { refused: "position" };
  for await (const changes of chunks) await apply(statements, at, { changes, meta });
  await statements.change(ADVANCE, [at.stage, at.partition, meta.position, JSON.stringify(meta)]);
  return { saved: true };
}

async function apply(
  statements: Statements,
  { stage, partition }: StagePartition,
  { changes, meta }: { readonly changes: readonly StateChange[]; readonly meta: CheckpointSave["meta"] },
): Promise<void> {
  const last = new Map<string, StateChange>();
  for (const change of changes) {
    assert(change.changed_at < meta.position, "a checkpoint holds nothing of its commit's future");
    last.set(change.key, change);
  }
  const all = [...last.values()];
  for (const chunk of chunksOf(all.filter(({ value }) => value !== null))) {
    await statements.change(PUT, [...arraysOf(changeColumns, chunk), stage, partition]);
  }
  for (const chunk of chunksOf(all.filter(({ value }) => value === null))) {
    await statements.change(DROP, [stage, partition, chunk.map(({ key }) => key)]);
  }
}

/** Page by page, no transaction held open between: a reader that stops half-way leaves nothing behind. */
async function* rowsOf(postgres: Postgres, at: StagePartition, saves: number): AsyncGenerator<readonly StateRow[]> {
  let after = "";
  while (true) {
    const found = await postgres.read<RowOfSave>(ROWS, [at.stage, at.partition, after]);
    if (found[0]?.saves !== saves) {
      throw new WinnowError("store_unavailable", "Another checkpoint was saved while this one was read");
    }
    const rows = found.flatMap(stateOf);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < LOAD_ROWS) return;
    after = last.key;
  }
}

function stateOf(row: RowOfSave): StateRow[] {
  if (row.key === null) return [];
  const { key, value, deadline_ms, changed_at } = row;
  return [{ key, value, deadline_ms, changed_at }];
}
