import { WinnowError } from "@winnow/platform";
import { type RedisConnection, textOf, textOrNull } from "./connection.ts";
import { partitionsKey } from "./keys.ts";

/** Scripts that name their flags, and `SET … NX GET`. */
const VERSION_MIN = 7;

/**
 * Checks that this Redis keeps what it is given, and that it was used with this partition count before, if ever.
 * Rejects with WinnowError `store_unsuitable`, `partitions_changed` or `store_unavailable`.
 */
export async function checkServer(connection: RedisConnection, prefix: string, partitions: number): Promise<void> {
  const info = parseInfo(textOf(await connection.call("unavailable", "INFO", [])));
  const version = info.get("redis_version") ?? "unknown";
  if (!(Number.parseInt(version, 10) >= VERSION_MIN))
    throw new WinnowError("store_unsuitable", `Redis ${version} is too old: use version ${VERSION_MIN} or newer`, {
      fields: { version },
    });
  const policy = info.get("maxmemory_policy") ?? "unknown";
  if (policy !== "noeviction")
    throw new WinnowError(
      "store_unsuitable",
      `Redis may evict states when its memory is full: its maxmemory-policy is ${policy}. ` +
        'Set "maxmemory-policy noeviction" in redis.conf, or run: redis-cli CONFIG SET maxmemory-policy noeviction',
      { fields: { policy } },
    );
  await holdPartitions(connection, prefix, partitions);
}

async function holdPartitions(connection: RedisConnection, prefix: string, partitions: number): Promise<void> {
  const key = partitionsKey(prefix);
  // Read first: a full memory refuses any SET, and must not keep a partition from its next owner.
  const known = textOrNull(await connection.call("unavailable", "GET", [key]));
  // A lost answer leaves nothing unknown: whoever comes next finds the count or sets it.
  const stored = known ?? textOrNull(await connection.call("unavailable", "SET", [key, partitions, "NX", "GET"]));
  if (stored === null || stored === String(partitions)) return;
  throw new WinnowError(
    "partitions_changed",
    `Redis holds states of ${stored} partitions under the prefix ${prefix}, and ${partitions} are configured`,
    { fields: { stored, configured: partitions } },
  );
}

/** `name:value` per line; lines that begin with # are headings. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  const entries = text.split("\r\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1)] as const;
  });
  return new Map(entries.filter(([name]) => name !== ""));
}
