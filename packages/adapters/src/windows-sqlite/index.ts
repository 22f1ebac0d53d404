import { assert } from "@winnow/platform";
import type {
  Claim,
  CommitMeta,
  CommitResult,
  Loaded,
  Refusal,
  StagePartition,
  StateCommit,
  StateRow,
  WindowStore,
} from "@winnow/ports";
import type { MigrationReport } from "../store-sqlite/engine/migrate.ts";
import type { WorkerStats } from "../store-sqlite/engine/wire.ts";
import { type StoreLog, WorkerClient } from "../store-sqlite/engine/worker-client.ts";
import { type PackedRows, packRows, unpackDeadlines, unpackRows } from "./packing.ts";
import type {
  PackedClaim,
  PackedCommit,
  ScanRange,
  WindowDatabaseOptions,
  WindowOperations,
} from "./window-database.ts";

export type { StoreLog, WorkerStats };

export interface SqliteWindowStoreOptions {
  /** The one database file of all partitions; made when missing, its folder must exist. */
  readonly file: string;
  /** Fixed with the first open. */
  readonly partitions: number;
  readonly log: StoreLog;
}

/** A WindowStore that can also say how well its commits were gathered. */
export interface SqliteWindowStore extends WindowStore {
  stats(): Promise<WorkerStats>;
}

/**
 * Opens the embedded WindowStore: SQLite in a thread of its own, durable at each commit, commits of several partitions
 * that arrive together in one transaction.
 * Rejects with WinnowError `data_dir_newer`, `partitions_changed` or `store_unavailable`. Its calls reject with
 * `store_unavailable` (nothing was done) or `store_unknown`, and with a plain Error for a row that cannot be stored.
 */
export async function openSqliteWindowStore(options: SqliteWindowStoreOptions): Promise<SqliteWindowStore> {
  const { file, partitions, log } = options;
  assert(Number.isSafeInteger(partitions) && partitions > 0, "there is at least one partition");
  const client = new WorkerClient({
    module: new URL("./windows.worker.ts", import.meta.url),
    name: "windows",
    options: { file, partitions } satisfies WindowDatabaseOptions,
    now: () => 0,
    log,
  });
  const report = (await client.open()) as MigrationReport;
  if (report.copy !== null) log.info({ ...report }, "the window store's schema was brought up to date");
  return new WorkerWindowStore(client, partitions);
}

const STAGES = { A: 0, B: 1, C: 2 } as const;

class WorkerWindowStore implements SqliteWindowStore {
  readonly #client: WorkerClient;
  readonly #partitions: number;

  constructor(client: WorkerClient, partitions: number) {
    this.#client = client;
    this.#partitions = partitions;
  }

  async claim(at: StagePartition, token: string): Promise<Claim> {
    const { meta, deadlines }: PackedClaim = await this.#call("claim", this.#number(at), token);
    return { meta: parseMeta(meta), deadlines: unpackDeadlines(deadlines) };
  }

  async load(at: StagePartition, token: string, position: number, keys: readonly string[]): Promise<Loaded> {
    const loaded: PackedRows | Refusal = await this.#call("load", this.#number(at), token, position, keys);
    return "refused" in loaded ? loaded : { rows: unpackRows(loaded) };
  }

  async commit(at: StagePartition, token: string, previous: number, commit: StateCommit): Promise<CommitResult> {
    const packed: PackedCommit = {
      sp: this.#number(at),
      token,
      previous,
      position: commit.meta.position,
      meta: JSON.stringify(commit.meta),
      changes: packRows(commit.changes),
    };
    return this.#call("commit", packed);
  }

  async verify(at: StagePartition, token: string, position: number): Promise<boolean> {
    return this.#call("verify", this.#number(at), token, position);
  }

  async metas(stage: "A" | "B"): Promise<readonly { partition: number; meta: CommitMeta | null }[]> {
    const all = Array.from({ length: this.#partitions }, (_, partition) => this.#number({ stage, partition }));
    const metas = await this.#call("metas", all);
    return metas.map((meta, partition) => ({ partition, meta: parseMeta(meta) }));
  }

  async scan(at: StagePartition, range: ScanRange): Promise<readonly StateRow[]> {
    return unpackRows(await this.#call("scan", this.#number(at), range));
  }

  async peek(at: StagePartition, keys: readonly string[]): Promise<readonly StateRow[]> {
    return unpackRows(await this.#call("peek", this.#number(at), keys));
  }

  stats(): Promise<WorkerStats> {
    return this.#client.stats();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** The number of a stage's partition in the file. It does not depend on the partition count. */
  #number({ stage, partition }: StagePartition): number {
    assert(Number.isInteger(partition) && partition >= 0 && partition < this.#partitions, "the partition exists");
    return partition * 4 + STAGES[stage];
  }

  #call<Name extends keyof WindowOperations>(
    name: Name,
    ...args: Parameters<WindowOperations[Name]>
  ): Promise<ReturnType<WindowOperations[Name]>> {
    return this.#client.call(name, args) as Promise<ReturnType<WindowOperations[Name]>>;
  }
}

function parseMeta(text: string | null): CommitMeta | null {
  return text === null ? null : (JSON.parse(text) as CommitMeta);
}
