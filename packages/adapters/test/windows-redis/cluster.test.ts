import { randomInt } from "node:crypto";
import { join } from "node:path";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { bringPackages, startTool, toolEnvironment } from "@winnow/devservers";
import { windowStoreContract } from "@winnow/testkit";
import { testFolder } from "@winnow/testkit/folder";
import { Redis } from "ioredis";
import t, { type Test } from "tap";
import { HeardLog, newPrefix } from "./support.ts";

t.setTimeout(240_000);
const brought = await bringPackages({ names: ["redis-server", "redis-tools"], log: (line) => t.comment(line) });
const skip = "unavailable" in brought ? brought.unavailable : false;

await t.test(
  "a node of a Redis Cluster, which refuses keys of several slots, keeps the contract",
  { skip },
  async (t) => {
    if ("unavailable" in brought) return;
    const url = await startClusterNode(t, brought.rootDir);
    await windowStoreContract(t, {
      name: "windows-redis/cluster",
      open: ({ partitions }) => {
        const prefix = newPrefix();
        return Promise.resolve({
          connect: () => openRedisWindowStore({ url, partitions, prefix, chunkStates: 50, log: new HeardLog() }),
          remove: () => Promise.resolve(),
        });
      },
    });
  },
);

/** Redis in cluster mode, holding all slots; its URL once the cluster is well. */
async function startClusterNode(t: Test, rootDir: string): Promise<string> {
  const folder = testFolder(t);
  // Its bus takes the port 10,000 above; both stay below those of outgoing connections.
  const port = randomInt(15_000, 22_000);
  const tool = startTool({
    command: join(rootDir, "usr/bin/redis-server"),
    args: Object.entries({
      bind: "127.0.0.1",
      port: String(port),
      dir: folder,
      save: "",
      "cluster-enabled": "yes",
      "maxmemory-policy": "noeviction",
    }).flatMap(([name, value]) => [`--${name}`, value]),
    cwd: folder,
    env: await toolEnvironment(rootDir, folder),
  });
  t.teardown(() => tool.stop());
  await tool.line(/Ready to accept connections/);
  const admin = new Redis(port, "127.0.0.1", { enableReadyCheck: false });
  await admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_383);
  await tool.line(/Cluster state changed: ok/);
  admin.disconnect();
  return `redis://127.0.0.1:${port}`;
}
