import { WinnowError } from "@winnow/platform";
import type {
  Checkpoint,
  CheckpointResult,
  CheckpointSave,
  CheckpointStore,
  CommitMeta,
  StagePartition,
  StateChange,
  StateRow,
} from "@winnow/ports";
import type { CheckpointTables, StoredCheckpoint } from "./checkpoint-tables.ts";
import { storeFailed, storeLost } from "./faulty-window-store.ts";
import type { Operations } from "./operations.ts";
import type { VirtualProcess } from "./virtual-process.ts";

/** Few, so that a checkpoint is read in several steps. */
const rowsPerChunk = 16;

/** The checkpoint store as one process sees it. */
export class FaultyCheckpointStore implements CheckpointStore {
  readonly #tables: CheckpointTables;
  readonly #process: VirtualProcess;
  readonly #operations: Operations;

  constructor(tables: CheckpointTables, process: VirtualProcess, operations: Operations) {
    this.#tables = tables;
    this.#process = process;
    this.#operations = operations;
  }

  async saveCheckpoint(at: StagePartition, save: CheckpointSave): Promise<CheckpointResult> {
    const changes: StateChange[] = [];
    for await (const chunk of save.changes) changes.push(...chunk);
    const { previous, meta } = save;
    return this.#operations.call(this.#process, {
      name: "checkpoints.save",
      effect: true,
      apply: () => this.#tables.save(at, { previous, meta, changes }),
      failed: storeFailed,
      lost: storeLost,
    });
  }

  async loadCheckpoint(at: StagePartition): Promise<Checkpoint | null> {
    const stored = await this.#read("checkpoints.load", () => this.#tables.stored(at));
    return stored === null ? null : { meta: stored.meta, rows: this.#rows(at, stored) };
  }

  async checkpointMeta(at: StagePartition): Promise<CommitMeta | null> {
    return this.#read("checkpoints.meta", () => this.#tables.stored(at)?.meta ?? null);
  }

  async *#rows(at: StagePartition, stored: StoredCheckpoint): AsyncGenerator<readonly StateRow[]> {
    const rows = [...stored.rows.values()].toSorted((left, right) => (left.key < right.key ? -1 : 1));
    for (let from = 0; from < rows.length; from += rowsPerChunk)
      yield await this.#read("checkpoints.rows", () => {
        if (this.#tables.stored(at) !== stored)
          throw new WinnowError("store_unavailable", "another checkpoint was saved while this one was read");
        return rows.slice(from, from + rowsPerChunk);
      });
  }

  #read<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: false, apply, failed: storeFailed });
  }
}
