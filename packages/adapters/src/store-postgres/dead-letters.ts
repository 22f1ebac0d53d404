import type { DeadLetterNote, DeadLetterState } from "@winnow/contracts";
import type { DeadLetterChange, RecordBatch } from "@winnow/ports";
import { arraysOf, type Column, chunksOf, inputOf, namesOf } from "./engine/columns.ts";
import type { Statements } from "./engine/postgres.ts";

/** A dead letter after all steps of a commit; `note` null = the stored one stays. */
interface Letter {
  readonly id: string;
  readonly state: DeadLetterState;
  readonly attempts: number;
  readonly note: DeadLetterNote | null;
}

const columns: readonly Column<Letter>[] = [
  { name: "id", type: "text", of: ({ id }) => id },
  { name: "received_ms", type: "bigint", of: ({ note }) => note?.received_ms ?? null },
  { name: "state", type: "text", of: ({ state }) => state },
  { name: "attempts", type: "bigint", of: ({ attempts }) => attempts },
  { name: "note", type: "text", of: ({ note }) => (note === null ? null : JSON.stringify(note)) },
];

const STORED = "SELECT id, state, attempts FROM dead_letter WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE";
const PUT = `
  INSERT INTO dead_letter (${namesOf(columns)}) SELECT ${namesOf(columns)} FROM ${inputOf(columns)}
  ON CONFLICT (id) DO UPDATE SET received_ms = excluded.received_ms, state = excluded.state,
    attempts = excluded.attempts, note = excluded.note`;
const CHANGE = `
  UPDATE dead_letter SET state = input.state, attempts = input.attempts
  FROM ${inputOf(columns)} WHERE dead_letter.id = input.id`;

/** A dead letter holds up to a whole request as text, so fewer go into one statement. */
const LETTERS_MAX = 16;

/** Dead letters and what people decided about them, in the order given. */
export async function applyDeadLetters(statements: Statements, steps: RecordBatch["dead_letters"]): Promise<void> {
  if (steps.length === 0) return;
  const letters = new Map<string, Letter>();
  const ids = [...new Set(steps.map((step) => step.id))];
  for (const chunk of chunksOf(ids)) {
    const found = await statements.rows<Omit<Letter, "note">>(STORED, [chunk]);
    for (const letter of found) letters.set(letter.id, { ...letter, note: null });
  }
  const changed = new Map<string, Letter>();
  for (const step of steps) {
    const next = after(changed.get(step.id) ?? letters.get(step.id), step);
    if (next !== null) changed.set(step.id, next);
  }
  const all = [...changed.values()];
  for (const chunk of chunksOf(
    all.filter(({ note }) => note !== null),
    LETTERS_MAX,
  )) {
    await statements.change(PUT, arraysOf(columns, chunk));
  }
  for (const chunk of chunksOf(all.filter(({ note }) => note === null))) {
    await statements.change(CHANGE, arraysOf(columns, chunk));
  }
}

/** Null for a decision about a dead letter that nobody knows. */
function after(known: Letter | undefined, step: DeadLetterNote | DeadLetterChange): Letter | null {
  if (!("state" in step)) return { id: step.id, state: "waiting", attempts: known?.attempts ?? 0, note: step };
  if (known === undefined) return null;
  return { ...known, state: step.state, attempts: known.attempts + (step.state === "retried" ? 1 : 0) };
}
