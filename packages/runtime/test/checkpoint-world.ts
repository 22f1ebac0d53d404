import type { CheckpointStore, CommitMeta, StagePartition, StateChange, StateRow, WindowStore } from "@winnow/ports";
import {
  CheckpointTables,
  FaultCounts,
  FaultyCheckpointStore,
  FaultyWindowStore,
  incidentSamples,
  Operations,
  Random,
  VirtualProcess,
  VirtualTime,
  WindowTables,
} from "@winnow/testkit";
import { Checkpointer, type CheckpointSettings, defaultCheckpointSettings } from "../src/checkpointer.ts";

export const at: StagePartition = { stage: "B", partition: 1 };
export const { metaAt } = incidentSamples;

export function put(key: string, value: string, changedAt: number, deadlineMs: number | null = null): StateRow {
  return { key, value, deadline_ms: deadlineMs, changed_at: changedAt };
}

export function drop(key: string, changedAt: number): StateChange {
  return { key, value: null, deadline_ms: null, changed_at: changedAt };
}

/** One partition's stores in virtual time, and a session that commits to them. */
export class CheckpointWorld {
  readonly time = new VirtualTime(1_000_000);
  readonly process = new VirtualProcess("correlator", this.time);
  readonly windowTables = new WindowTables();
  readonly checkpointTables = new CheckpointTables();
  readonly operations = new Operations(this.time, new Random(1), new FaultCounts());
  readonly windows: WindowStore = new FaultyWindowStore(this.windowTables, this.process, this.operations, 4);
  readonly checkpoints: CheckpointStore = new FaultyCheckpointStore(
    this.checkpointTables,
    this.process,
    this.operations,
  );
  readonly session = new AbortController();
  readonly saved: number[] = [];
  readonly failed: unknown[] = [];
  readonly moves: { readonly from: number; readonly to: number }[] = [];
  #claims = 0;

  get token(): string {
    return `token-${this.#claims}`;
  }

  /** A new session claims the partition. */
  open(settings: Partial<CheckpointSettings> = {}): Checkpointer {
    this.#claims += 1;
    const { meta } = this.windowTables.claim(at, this.token);
    const { windows, checkpoints, token } = this;
    const { clock } = this.process;
    const report = {
      saved: (_at: StagePartition, states: number) => this.saved.push(states),
      failed: (_at: StagePartition, error: unknown) => this.failed.push(error),
      restored: () => {},
    };
    const { signal } = this.session;
    const all = { ...defaultCheckpointSettings, ...settings };
    const parts = { at, token, windows, checkpoints, clock, settings: all, report, signal };
    return new Checkpointer(parts, meta, this.stored?.meta ?? null);
  }

  /** Commits to the window store as the owner; returns the commit. */
  write(position: number, changes: readonly StateChange[]): CommitMeta {
    const meta = metaAt(position);
    const previous = this.windowTables.meta(at)?.position ?? 0;
    const result = this.windowTables.commit(at, this.token, previous, { meta, changes });
    if ("refused" in result) throw new Error(result.refused);
    return meta;
  }

  commit(checkpointer: Checkpointer, position: number, changes: readonly StateChange[]): void {
    checkpointer.committed(this.write(position, changes), changes);
  }

  get stored() {
    return this.checkpointTables.stored(at);
  }

  /** The stored checkpoint's states, in key order. */
  get rows(): StateRow[] {
    return [...(this.stored?.rows.values() ?? [])].toSorted((left, right) => (left.key < right.key ? -1 : 1));
  }

  async pass(ms: number): Promise<void> {
    await this.time.runUntil(this.time.now + ms);
  }

  /** Lets time go on until it is done. */
  async until<Value>(work: Promise<Value>): Promise<Value> {
    const done = new AbortController();
    const watched = work.finally(() => done.abort());
    watched.catch(() => {});
    while (!done.signal.aborted) await this.pass(10);
    return watched;
  }
}
