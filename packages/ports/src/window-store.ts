import type { Outcome, OutputId } from "@winnow/contracts";

/** A stage's partition. */
export interface StagePartition {
  readonly stage: "A" | "B" | "C";
  readonly partition: number;
}

/** What a commit says besides states: the whole truth of a stage's partition at a record boundary. */
export interface CommitMeta {
  /** Offset of the next record to read. */
  readonly position: number;
  /** The log that `position` belongs to. */
  readonly log_id: string;
  readonly clock_ms: number;
  /** Where the log's own time lies behind that: when the last record was appended, and the clock with its fraction. */
  readonly behind?: { readonly appended_ms: number; readonly reached_ms: number };
  readonly rule_generation: number;
  readonly rule_digest: string;
  readonly engine_version: number;
  /** Its owner has stopped right here in good order: nothing that lies behind `position` is decided or published. */
  readonly handed_over?: true;
  /**
   * Highest input seen per upstream: A: receiver id → `[seq]`; B and C: `stage.partition` → output id.
   * At or below it is dropped, the successor is taken, a gap stops the partition.
   */
  readonly marks: Readonly<Record<string, readonly number[]>>;
  /** Last published id per destination, `topic.partition` → id. */
  readonly published: Readonly<Record<string, OutputId>>;
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Accepted events seen (A), passed on with `settles` (A), and settled (B). */
  readonly seen: number;
  readonly passed: number;
  readonly settled: number;
}

/** A state row as stored: opaque JSON text, the deadline of its next timer, the position that changed it. */
export interface StateRow {
  readonly key: string;
  readonly value: string;
  readonly deadline_ms: number | null;
  /** Offset of the record whose decision changed it last. */
  readonly changed_at: number;
}

export interface StateChange {
  readonly key: string;
  /** null deletes (a tombstone where the store keeps a checkpoint). */
  readonly value: string | null;
  readonly deadline_ms: number | null;
  readonly changed_at: number;
}

export interface Deadline {
  readonly key: string;
  readonly deadline_ms: number;
}

export interface Claim {
  /** null for a partition that never committed. */
  readonly meta: CommitMeta | null;
  readonly deadlines: readonly Deadline[];
}

/** Refusals are values: `fenced` = another owner has claimed; `position` = the stored position is not `previous`. */
export type Refusal = { readonly refused: "fenced" | "position" };
export type Loaded = { readonly rows: readonly StateRow[] } | Refusal;
export type CommitResult = { readonly committed: true } | Refusal;

export interface StateCommit {
  readonly meta: CommitMeta;
  readonly changes: readonly StateChange[];
}

/**
 * State of stages A and B. One owner per stage partition, known by a random token.
 * A failed call may or may not have happened: the caller drops its cache and claims again.
 */
export interface WindowStore {
  /** Makes `token` the owner and reads the whole commit (states stay where they are). */
  claim(at: StagePartition, token: string): Promise<Claim>;
  /** Reads states, fenced like a commit: token and position must both be equal. Missing keys are simply absent. */
  load(at: StagePartition, token: string, position: number, keys: readonly string[]): Promise<Loaded>;
  /** One transaction: demands equality of token and of the stored position with `previous` (0 before the first). */
  commit(at: StagePartition, token: string, previous: number, commit: StateCommit): Promise<CommitResult>;
  /** True while `token` owns the partition and its position is `position`. */
  verify(at: StagePartition, token: string, position: number): Promise<boolean>;
  /** Reads without ownership, for the API: the last commits of a stage's partitions. */
  metas(stage: "A" | "B"): Promise<readonly { partition: number; meta: CommitMeta | null }[]>;
  /** Reads states by key prefix in key order, after `after`, over one partition; for the API. */
  scan(
    at: StagePartition,
    range: { readonly prefix: string; readonly after: string | null; readonly limit: number },
  ): Promise<readonly StateRow[]>;
  /** Reads single states without ownership, for the API. */
  peek(at: StagePartition, keys: readonly string[]): Promise<readonly StateRow[]>;
  close(): Promise<void>;
}
