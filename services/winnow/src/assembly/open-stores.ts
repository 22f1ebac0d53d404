import type { KafkaLogHealth } from "@winnow/adapters/log-kafka";
import { openSegmentLog, type SegmentLog } from "@winnow/adapters/log-segment";
import { openPostgresIncidentStore } from "@winnow/adapters/store-postgres";
import { openSqliteIncidentStore } from "@winnow/adapters/store-sqlite";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { type Config, fieldsFirst, type Logger, type Shutdown } from "@winnow/platform";
import type { CheckpointStore, Clock, EventLog, IncidentStore, JoinStage, WindowStore } from "@winnow/ports";
import { openCluster, openClusterSoon } from "../cluster/open-cluster.ts";
import { patiently } from "../cluster/patiently.ts";
import type { Combination } from "./combination.ts";
import type { DataDirectory } from "./data-directory.ts";
import type { Role } from "./roles.ts";

/** What nodes of a cluster have beyond the stores. */
interface ClusterParts {
  readonly checkpoints: CheckpointStore;
  readonly join: JoinStage;
  readonly logHealth: () => KafkaLogHealth;
}

export interface Stores {
  /** What the stages read and write. */
  readonly log: EventLog;
  readonly windows: WindowStore;
  readonly store: IncidentStore;
  /** What the receiver writes: `log` itself in one process, a spool of its own in a cluster. Null without a receiver. */
  readonly spool: SegmentLog | null;
  readonly cluster: ClusterParts | null;
}

export interface OpeningParts {
  readonly roles: readonly Role[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  readonly fsync: boolean;
  readonly signal: AbortSignal;
}

/** JSON bytes of records kept until their stage has read them, per partition of each topic; as objects they take several times that. */
const tailBytes = 4 * 1024 * 1024;

/** Opens log, windows and incidents, wherever they are; each is closed by the shutdown. */
export async function openStores(
  config: Config,
  at: { readonly data: DataDirectory; readonly combination: Combination },
  parts: OpeningParts,
): Promise<Stores> {
  const { data, combination } = at;
  if (combination.kind === "cluster") {
    // A receiver alone works without the others' servers: its own disk comes first, and they may come later.
    const isReceiver = parts.roles.every((role) => role === "receiver");
    const open = isReceiver ? openClusterSoon : openCluster;
    const { log, windows, store, join } = await open(config, combination, parts);
    const spool = parts.roles.includes("receiver") ? await openLog(config, data, parts, config.spool_keep) : null;
    const cluster = { checkpoints: store, join, logHealth: () => log.health() };
    return { log, windows, store, spool, cluster };
  }
  const { clock, shutdown } = parts;
  const { partitions } = config;
  const logger = fieldsFirst(parts.logger);
  const log = await openLog(config, data, parts, config.retention.log.max_age);
  const windows = await openSqliteWindowStore({ file: data.windows, partitions, log: logger });
  shutdown.add({ name: "window store", timeoutMs: 5_000, stop: async () => windows.close() });
  const store =
    combination.store === null
      ? await openSqliteIncidentStore({ file: data.incidents, partitions, clock, log: logger })
      : await openOwnPostgres(combination.store, partitions, parts);
  shutdown.add({ name: "incident store", timeoutMs: 5_000, stop: async () => store.close() });
  return { log, windows, store, spool: log, cluster: null };
}

/** One process with Postgres waits for it, as nodes of a cluster do. */
async function openOwnPostgres(url: string, partitions: number, parts: OpeningParts): Promise<IncidentStore> {
  const log = fieldsFirst(parts.logger);
  return patiently("Postgres", parts, async () => openPostgresIncidentStore({ url, partitions, log }));
}

async function openLog(
  config: Config,
  data: DataDirectory,
  parts: OpeningParts,
  maxAgeMs: number,
): Promise<SegmentLog> {
  const { clock, shutdown, fsync } = parts;
  const { partitions, retention, limits } = config;
  const log = await openSegmentLog({
    dir: data.log,
    partitions,
    retention: { maxAgeMs, maxBytes: retention.log.max_bytes },
    freeSpaceFloorBytes: limits.free_space,
    cacheBytesMax: tailBytes,
    clock,
    log: fieldsFirst(parts.logger),
    fsync,
  });
  shutdown.add({ name: "log of this process", timeoutMs: 5_000, stop: async () => log.close() });
  return log;
}
