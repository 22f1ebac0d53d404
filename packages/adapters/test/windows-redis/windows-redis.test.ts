import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { windowStoreContract } from "@winnow/testkit";
import t from "tap";
import { HeardLog, newPrefix, removePrefix } from "./support.ts";

t.setTimeout(240_000);
const servers = await sharedServers(t, ["redis"]);
const skip = skipWithout(servers, "redis");

// With chunks of two states nearly every commit is a large one: staged, decided, folded.
for (const chunkStates of [500, 2]) {
  await t.test(`a real Redis, ${chunkStates} states in a script, keeps the contract`, { skip }, async (t) => {
    await windowStoreContract(t, {
      name: `windows-redis/${chunkStates}`,
      open: ({ partitions }) => {
        const prefix = newPrefix();
        const url = servers.redis?.url ?? "";
        return Promise.resolve({
          connect: () => openRedisWindowStore({ url, partitions, prefix, chunkStates, log: new HeardLog() }),
          remove: () => removePrefix(url, prefix),
        });
      },
    });
  });
}
