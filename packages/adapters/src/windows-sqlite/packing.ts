import type { Deadline, StateChange, StateRow } from "@winnow/ports";
import { assert } from "../store-sqlite/engine/failure.ts";

/**
 * Rows as columns: a message of four lists is copied to another thread in less than half the time of a list of
 * objects (10,000 rows of 0.4 KB: 1.2 ms against 2.6 ms on the sending thread). NaN stands for null in `deadlines`.
 */
export interface PackedRows {
  readonly keys: string[];
  /** null deletes. */
  readonly values: (string | null)[];
  readonly deadlines: Float64Array;
  readonly changedAt: Float64Array;
}

export interface PackedDeadlines {
  readonly keys: string[];
  readonly deadlines: Float64Array;
}

export function packRows(rows: readonly StateChange[]): PackedRows {
  const keys: string[] = [];
  const values: (string | null)[] = [];
  const deadlines = new Float64Array(rows.length);
  const changedAt = new Float64Array(rows.length);
  for (const [index, row] of rows.entries()) {
    // The only value that packing itself would bend; the schema refuses the rest.
    assert(row.deadline_ms === null || Number.isSafeInteger(row.deadline_ms), "a deadline is whole milliseconds");
    keys.push(row.key);
    values.push(row.value);
    deadlines[index] = row.deadline_ms ?? Number.NaN;
    changedAt[index] = row.changed_at;
  }
  return { keys, values, deadlines, changedAt };
}

export function unpackRows(packed: PackedRows): StateRow[] {
  return packed.keys.map((key, index) => {
    const value = packed.values[index];
    assert(typeof value === "string", "a stored row has a value");
    return {
      key,
      value,
      deadline_ms: orNull(packed.deadlines[index]),
      changed_at: packed.changedAt[index] ?? Number.NaN,
    };
  });
}

export function unpackDeadlines(packed: PackedDeadlines): Deadline[] {
  return packed.keys.map((key, index) => ({ key, deadline_ms: packed.deadlines[index] ?? Number.NaN }));
}

export function orNull(deadline: number | undefined): number | null {
  return deadline === undefined || Number.isNaN(deadline) ? null : deadline;
}
