import { openSegmentLog } from "@winnow/adapters/log-segment";
import { openSqliteIncidentStore } from "@winnow/adapters/store-sqlite";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { type Config, fieldsFirst, type Logger, type Shutdown } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import type { DataDirectory } from "./data-directory.ts";
import type { Stores } from "./stage-options.ts";

export interface OpeningParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  readonly fsync: boolean;
}

/** JSON bytes of the newest records kept for the stages, per partition of each topic; as objects they take several times that. */
const tailBytes = 4 * 1024 * 1024;

/** Opens log, windows and incidents of a data directory; each is closed by the shutdown. */
export async function openStores(config: Config, data: DataDirectory, parts: OpeningParts): Promise<Stores> {
  const { clock, shutdown, fsync } = parts;
  const logger = fieldsFirst(parts.logger);
  const { partitions, retention, limits } = config;
  const log = await openSegmentLog({
    dir: data.log,
    partitions,
    retention: { maxAgeMs: retention.log.max_age, maxBytes: retention.log.max_bytes },
    freeSpaceFloorBytes: limits.free_space,
    cacheBytesMax: tailBytes,
    clock,
    log: logger,
    fsync,
  });
  shutdown.add({ name: "log", timeoutMs: 5_000, stop: async () => log.close() });
  const windows = await openSqliteWindowStore({ file: data.windows, partitions, log: logger });
  shutdown.add({ name: "window store", timeoutMs: 5_000, stop: async () => windows.close() });
  const store = await openSqliteIncidentStore({ file: data.incidents, partitions, clock, log: logger });
  shutdown.add({ name: "incident store", timeoutMs: 5_000, stop: async () => store.close() });
  return { log, windows, store };
}
