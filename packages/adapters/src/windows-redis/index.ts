import { assert } from "@winnow/platform";
import type { WindowStore } from "@winnow/ports";
import { RedisConnection, type RedisLog } from "./connection.ts";
import { assertPrefix } from "./keys.ts";
import { chunkStatesMax } from "./packing.ts";
import { Scripts } from "./scripts.ts";
import { checkServer } from "./server.ts";
import { RedisWindowStore } from "./window-store.ts";

export type { RedisLog };

export interface RedisWindowStoreOptions {
  /** `redis://` or `rediss://`, with user, password and database where needed. */
  readonly url: string;
  /** Fixed with the first open. */
  readonly partitions: number;
  /** Begins all keys; default `winnow`. Installations that share a Redis need different ones. */
  readonly prefix?: string;
  readonly log: RedisLog;
  /** How long Redis may say nothing before the connection is given up; default 5 s. */
  readonly timeoutMs?: number;
  /** States that one script takes at most, which bounds how long it keeps Redis from others; default and most 500. */
  readonly chunkStates?: number;
}

const TIMEOUT_MS = 5_000;

/**
 * Opens the WindowStore of the scale-out mode on a Redis 7 or newer; README.md tells how it lies there.
 * Rejects with WinnowError `store_unavailable`, `store_unsuitable` (its `maxmemory-policy`, version, user or password) or
 * `partitions_changed`. Its calls reject with `store_unavailable` (nothing was done), `store_unknown` (a claim or commit
 * may have been done), `store_unsuitable`, and with a plain Error for a row that cannot be stored.
 */
export async function openRedisWindowStore(options: RedisWindowStoreOptions): Promise<WindowStore> {
  const { url, partitions, log, prefix = "winnow", timeoutMs = TIMEOUT_MS, chunkStates = chunkStatesMax } = options;
  assert(chunkStates > 0 && chunkStates <= chunkStatesMax, "a chunk is within what a script takes");
  assert(Number.isSafeInteger(partitions) && partitions > 0, "there is at least one partition");
  assertPrefix(prefix);
  const connection = await RedisConnection.open({ url, timeoutMs, log });
  try {
    await checkServer(connection, prefix, partitions);
    return new RedisWindowStore(connection, await Scripts.open(connection), { prefix, partitions, chunkStates });
  } catch (error) {
    await connection.close();
    throw error;
  }
}
