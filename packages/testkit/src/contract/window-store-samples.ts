import type { CommitMeta, Loaded, StateChange, StateRow } from "@winnow/ports";

/** Partitions per stage in each test's storage. */
export const contractPartitions = 64;

/** A whole meta at a position; every field differs from its neutral value so that a lost one is seen. */
export function metaAt(position: number): CommitMeta {
  return {
    position,
    log_id: "0123456789abcdef",
    clock_ms: 1_700_000_000_000 + position,
    rule_generation: 3,
    rule_digest: "d".repeat(64),
    engine_version: 2,
    marks: { "receiver-1": [position * 2], "A.3": [position, 0, 1] },
    published: { "transitions.0": [position, -1, 4], "transitions.3": [position, 2, 0] },
    outcomes: { opened: 1, duplicate: position },
    seen: position * 3,
    passed: position,
    settled: 7,
  };
}

export function put(key: string, value: string, more: Partial<StateChange> = {}): StateChange {
  return { key, value, deadline_ms: null, changed_at: 1, ...more };
}

export function rowsOf(loaded: Loaded): readonly StateRow[] {
  if ("refused" in loaded) throw new Error(`refused: ${loaded.refused}`);
  return loaded.rows.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}
