import { assert, WinnowError } from "@winnow/platform";
import type { CheckpointStore, IncidentStore } from "@winnow/ports";
import { checkpointOperations } from "./checkpoints.ts";
import { queueOperations } from "./delivery-queue.ts";
import { holdPartitions, type MigrationReport, migrate, type Schemas } from "./engine/migrate.ts";
import { Postgres, type StoreLog } from "./engine/postgres.ts";
import { demandSuitable } from "./engine/suitable.ts";
import { pruneOperations } from "./prune.ts";
import { readerOperations } from "./reader.ts";
import { grantReading } from "./reading-role.ts";
import { recorderOperations } from "./recorder.ts";
import { migrations } from "./schema.ts";
import { factOperations, ruleSetOperations, tokenOperations } from "./settings.ts";

export type { MigrationReport, StoreLog };

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with the usual parameters (`sslmode` …). */
  readonly url: string;
  readonly log: StoreLog;
  /** Winnow's tables; made when missing. Default `winnow`. */
  readonly schema?: string;
  /** The views for reports; made when missing. Default `reporting`. */
  readonly reportingSchema?: string;
}

export interface PostgresIncidentStoreOptions extends PostgresOptions {
  /** Stage C's partitions, fixed with the first open. */
  readonly partitions: number;
  /** How long changes that are not urgent wait for others before they go to a ticket. Default 15,000 ms. */
  readonly coalesceMs?: number;
  /** Connections at most. Default 10. */
  readonly poolMax?: number;
  /** Postgres ends a statement that takes longer. Default 30,000 ms. */
  readonly statementMs?: number;
}

/** Incidents and deliveries, and the checkpoints of the stages behind a window store. */
export type PostgresStore = IncidentStore & CheckpointStore;

const COALESCE_MS = 15_000;
const POOL_MAX = 10;
const STATEMENT_MS = 30_000;
/** A step over large tables, and waiting for the starter that makes it, take their time. */
const MIGRATION_MS = 600_000;

/**
 * Opens the IncidentStore on Postgres (12 or newer), its schema brought up to date first. A call that resolves is
 * durable as far as the server's `fsync` and its synchronous standbys make it. The store's clock is the database's.
 * Rejects with WinnowError `store_unsuitable`, `data_dir_newer`, `partitions_changed`, `config_invalid` (a schema's name)
 * or `store_unavailable`. Its calls reject with
 * `store_unavailable` (nothing was done) or `store_unknown`, and with a plain Error for a row that cannot be stored.
 */
export async function openPostgresIncidentStore(options: PostgresIncidentStoreOptions): Promise<PostgresStore> {
  const { partitions, coalesceMs = COALESCE_MS, poolMax = POOL_MAX, statementMs = STATEMENT_MS } = options;
  assert(Number.isSafeInteger(partitions) && partitions > 0, "there is at least one partition");
  await migratePostgres(options);
  const postgres = connect(options, { poolMax, statementMs });
  try {
    await holdPartitions(postgres, partitions);
  } catch (error) {
    await postgres.close();
    throw error;
  }
  return {
    ...recorderOperations(postgres, { partitions, coalesceMs }),
    ...queueOperations(postgres),
    ...readerOperations(postgres, partitions),
    ...ruleSetOperations(postgres),
    ...factOperations(postgres),
    ...tokenOperations(postgres),
    ...pruneOperations(postgres),
    ...checkpointOperations(postgres, Math.max(1, Math.floor(poolMax / 3))),
    close: () => postgres.close(),
  };
}

/**
 * Brings the schema up to date and lets the role `winnow_reader` read the reports, for set-ups in which the program's own
 * user may not. Safe to run at once with others and with a start. Rejects as the opening does.
 */
export async function migratePostgres(options: PostgresOptions): Promise<MigrationReport> {
  const { log } = options;
  const schemas = schemasOf(options);
  const postgres = connect(options, { poolMax: 1, statementMs: MIGRATION_MS });
  try {
    await demandSuitable(postgres, log);
    const report = await migrate(postgres, schemas, migrations);
    if (report.from === report.to) return report;
    log.info({ ...report }, "the incident store's schema was brought up to date");
    await grantReading(postgres, schemas.reportingSchema, log);
    return report;
  } finally {
    await postgres.close();
  }
}

function connect(options: PostgresOptions, limits: { poolMax: number; statementMs: number }): Postgres {
  const { url, log } = options;
  return new Postgres({ url, log, schema: schemasOf(options).schema, ...limits });
}

function schemasOf({ schema = "winnow", reportingSchema = "reporting" }: PostgresOptions): Schemas {
  for (const name of [schema, reportingSchema]) {
    if (/^[a-z_][a-z0-9_]{0,62}$/.test(name) && !name.startsWith("pg_")) continue;
    const rule = "a schema's name has lower-case letters, digits and _, at most 63 of them";
    throw new WinnowError("config_invalid", rule, { fields: { schema: name } });
  }
  return { schema, reportingSchema };
}
