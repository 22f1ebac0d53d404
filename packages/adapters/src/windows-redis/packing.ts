import { assert } from "@winnow/platform";
import type { StateChange, StateRow } from "@winnow/ports";
import { listOf, type Reply, textOf, textOrNull } from "./connection.ts";

/** One script's worth of changes: threes of key, packed state ('' deletes) and deadline in ms ('' for none). */
export type Chunk = readonly string[];

/** With the next bounds the time for which one script keeps Redis busy. A single larger state is a chunk of its own. */
export const chunkStatesMax = 500;
/** In characters: up to three times as many bytes. */
const CHUNK_CHARS_MAX = 512 * 1024;

/**
 * The changes as chunks of at most `chunkStates`; none when nothing changed. Of two changes of one key the later one holds.
 * Throws a plain Error for a row that cannot be stored as it is.
 */
export function chunksOf(changes: readonly StateChange[], chunkStates: number): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let chunk: string[] = [];
  let chars = 0;
  for (const change of lastOfEachKey(changes)) {
    const state = packState(change);
    const size = change.key.length + state.length;
    if (chunk.length >= chunkStates * 3 || (chunk.length > 0 && chars + size > CHUNK_CHARS_MAX)) {
      chunks.push(chunk);
      chunk = [];
      chars = 0;
    }
    const deadline = change.value === null || change.deadline_ms === null ? "" : String(change.deadline_ms);
    chunk.push(change.key, state, deadline);
    chars += size;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

function lastOfEachKey(changes: readonly StateChange[]): Iterable<StateChange> {
  const last = new Map(changes.map((change) => [change.key, change]));
  return last.size === changes.length ? changes : last.values();
}

function packState({ key, value, deadline_ms, changed_at }: StateChange): string {
  assert(key.isWellFormed(), "a key is well-formed text");
  assert(Number.isSafeInteger(changed_at), "a position is a whole number");
  assert(deadline_ms === null || Number.isSafeInteger(deadline_ms), "a deadline is whole milliseconds");
  return value === null ? "" : `${changed_at} ${value}`;
}

/** The rows that exist, of `keys` and the states and deadlines that stand beside them in a script's answer. */
export function rowsOf(keys: readonly string[], states: Reply | undefined, deadlines: Reply | undefined): StateRow[] {
  const [packed, due] = [listOf(states), listOf(deadlines)];
  const rows: StateRow[] = [];
  for (const [index, key] of keys.entries()) {
    const state = textOrNull(packed[index]);
    if (state === null) continue;
    const space = state.indexOf(" ");
    const deadline = textOrNull(due[index]);
    rows.push({
      key,
      value: state.slice(space + 1),
      deadline_ms: deadline === null ? null : Number(deadline),
      changed_at: Number(state.slice(0, space)),
    });
  }
  return rows;
}

/** Pairs of key and deadline, as `due.lua` lists them. */
export function deadlinesOf(list: Reply | undefined): { key: string; deadline_ms: number }[] {
  const flat = listOf(list);
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    key: textOf(flat[index * 2]),
    deadline_ms: Number(textOf(flat[index * 2 + 1])),
  }));
}
