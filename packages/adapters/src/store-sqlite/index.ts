import { assert } from "@winnow/platform";
import type { Clock, CommitResult, IncidentStore } from "@winnow/ports";
import type { MigrationReport } from "./engine/migrate.ts";
import { type StoreLog, WorkerClient } from "./engine/worker-client.ts";
import type { IncidentDatabaseOptions } from "./incidents.worker.ts";
import { type IncidentOperation, incidentOperationKinds } from "./operations.ts";
import { packCommit } from "./packed-batch.ts";

export type { StoreLog };

export interface SqliteIncidentStoreOptions {
  /** The database file; made when missing, its folder must exist. */
  readonly file: string;
  /** Stage C's partitions, fixed with the first open. */
  readonly partitions: number;
  /** The store's clock: leases and `sent_ms` are written and judged by its `now`. */
  readonly clock: Pick<Clock, "now">;
  readonly log: StoreLog;
  /** How long changes that are not urgent wait for others before they go to a ticket. Default 15,000 ms. */
  readonly coalesceMs?: number;
}

const COALESCE_MS = 15_000;

/**
 * Opens the embedded IncidentStore: SQLite in a thread of its own, durable before a call resolves, calls that arrive
 * together in one transaction.
 * Rejects with WinnowError `data_dir_newer`, `partitions_changed` or `store_unavailable`. Its calls reject with
 * `store_unavailable` (nothing was done) or `store_unknown`, and with a plain Error for a row that cannot be stored.
 */
export async function openSqliteIncidentStore(options: SqliteIncidentStoreOptions): Promise<IncidentStore> {
  const { file, partitions, clock, log, coalesceMs = COALESCE_MS } = options;
  assert(Number.isSafeInteger(partitions) && partitions > 0, "there is at least one partition");
  const client = new WorkerClient({
    module: new URL("./incidents.worker.ts", import.meta.url),
    name: "incidents",
    options: { file, partitions, coalesceMs } satisfies IncidentDatabaseOptions,
    now: () => clock.now(),
    log,
  });
  const report = (await client.open()) as MigrationReport;
  if (report.copy !== null) log.info({ ...report }, "the incident store's schema was brought up to date");
  return remoteStore(client);
}

/** The port's calls, each one message to the thread that answers it. */
function remoteStore(client: WorkerClient): IncidentStore {
  const names = Object.keys(incidentOperationKinds) as IncidentOperation[];
  const calls = names.map((name) => [name, (...args: unknown[]) => client.call(name, args)] as const);
  const commit: IncidentStore["commit"] = async (partition, token, previous, made) =>
    (await client.call("commit", [partition, token, previous, packCommit(made)])) as CommitResult;
  return { ...Object.fromEntries(calls), commit, close: () => client.close() } as unknown as IncidentStore;
}
