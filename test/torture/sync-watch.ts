import { nodeFiles, openSegmentLog, type SegmentFiles } from "@winnow/adapters/log-segment";
import type { AppendRecord } from "@winnow/ports";

const appends = 60;

/** What the log did with its files. */
export interface SyncCount {
  readonly appends: number;
  readonly syncs: number;
  /** Appends that were answered while bytes of theirs were not synced. */
  readonly unsynced: number;
}

/** Appends to a log and watches its files: for machines on which no power can be cut. */
export async function countSyncs(dir: string, options: { readonly fsync: boolean }): Promise<SyncCount> {
  const dirty = new Set<number>();
  let syncs = 0;
  const settled = (file: number): void => {
    syncs += 1;
    dirty.delete(file);
  };
  const files: SegmentFiles = {
    ...nodeFiles,
    write: async (file, bytes, position) => {
      dirty.add(file);
      await nodeFiles.write(file, bytes, position);
    },
    sync: async (file) => {
      await nodeFiles.sync(file);
      settled(file);
    },
  };
  const log = await openSegmentLog({
    dir,
    partitions: 2,
    retention: { maxAgeMs: 3_600_000, maxBytes: 1_000_000_000 },
    clock: { now: Date.now, monotonic: () => performance.now(), sleep: () => Promise.resolve() },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    freeSpaceFloorBytes: 0,
    fs: files,
    fsync: options.fsync,
  });
  let unsynced = 0;
  for (let count = 0; count < appends; count += 1) {
    const record: AppendRecord = { value: { kind: "rules", at_ms: 1, generation: count, digest: "d" }, events: 0 };
    await log.append("alerts", count % 2, [record]);
    if (dirty.size > 0) unsynced += 1;
  }
  await log.close();
  return { appends, syncs, unsynced };
}
