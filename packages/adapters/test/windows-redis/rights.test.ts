import { readFileSync } from "node:fs";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { Redis } from "ioredis";
import t from "tap";
import { a0, HeardLog, keysOf, metaAt, statesSaying } from "./support.ts";

t.setTimeout(240_000);
const servers = await ownServers(t, ["redis"]);
const skip = skipWithout(servers, "redis");

await t.test(
  "a user with the rights that the README names can do all, and without one of them is told",
  { skip },
  async (t) => {
    const admin = new Redis(servers.redis?.url ?? "");
    t.teardown(() => admin.disconnect());
    const rights = rightsOfReadme();
    await admin.call("ACL", "SETUSER", "winnow", "on", ">secret", ...rights);
    const url = new URL(servers.redis?.url ?? "");
    url.username = "winnow";
    url.password = "secret";
    const log = new HeardLog();
    const store = await openRedisWindowStore({ url: url.href, partitions: 4, log });
    t.teardown(() => store.close());
    await store.claim(a0, "one");
    for (const [position, size] of [3, 1_200].entries()) {
      const changes = statesSaying("s", size);
      await store.commit(a0, "one", position, { meta: metaAt(position + 1), changes });
    }
    t.same(await store.load(a0, "one", 2, keysOf(1_200)), { rows: statesSaying("s", 1_200) });
    t.equal((await store.scan(a0, { prefix: "k", after: null, limit: 10 })).length, 10);
    t.equal((await store.peek(a0, keysOf(2))).length, 2);
    t.ok(await store.verify(a0, "one", 2));
    t.same((await store.metas("A"))[0]?.meta, metaAt(2));
    const gone = statesSaying("", 3).map((change) => ({ ...change, value: null, deadline_ms: null }));
    await store.commit(a0, "one", 2, { meta: metaAt(3), changes: gone });
    t.equal((await store.claim(a0, "two")).deadlines.length, 399);

    await admin.call("ACL", "SETUSER", "winnow", "-evalsha");
    await t.rejects(store.claim(a0, "three"), { code: "store_unsuitable", fields: { redis_code: "NOPERM" } });
  },
);

/** The words of the line about rights: a key pattern, then commands. */
function rightsOfReadme(): string[] {
  const text = readFileSync(new URL("../../src/windows-redis/README.md", import.meta.url), "utf8");
  const line = /^- A user with an ACL needs `(.+?)`, `(.+?)`/m.exec(text);
  return [line?.[1] ?? "", ...(line?.[2] ?? "").split(" ")];
}
