/** A Redis put back to what it held at an earlier moment, as an older dump brings it back. */
import { Redis } from "ioredis";

/** All keys at one moment, with their dumped values. */
export type RedisSnapshot = readonly (readonly [key: Buffer, dump: Buffer])[];

/** A script is one moment: no commit stands half in it. */
const dumpAll = `
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('DUMP', key)
end
return found`;

export async function takeSnapshot(url: string): Promise<RedisSnapshot> {
  return withRedis(url, async (redis) => {
    const found = (await redis.callBuffer("EVAL", dumpAll, "0")) as readonly Buffer[];
    return found.flatMap((key, at) => {
      const dump = found[at + 1];
      return at % 2 === 0 && dump !== undefined ? [[key, dump] as const] : [];
    });
  });
}

/** Replaces everything, at one moment, under the feet of whoever is connected. */
export async function restoreSnapshot(url: string, snapshot: RedisSnapshot): Promise<void> {
  await withRedis(url, async (redis) => {
    const change = redis.multi().flushall();
    for (const [key, dump] of snapshot) change.restore(key, 0, dump);
    await change.exec();
  });
}

async function withRedis<Result>(url: string, work: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}
