import { mkdir, readdir, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { WinnowError } from "@winnow/platform";
import type { WindowStore } from "@winnow/ports";
import { ownServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { Redis } from "ioredis";
import t, { type Test } from "tap";
import { partitionKeys } from "../../src/windows-redis/keys.ts";
import { a0, HeardLog, keysOf, metaAt, newPrefix, openWatched, statesSaying } from "./support.ts";

t.setTimeout(240_000);
const servers = await ownServers(t, ["redis"]);
const skip = skipWithout(servers, "redis");
const { url = "", controls } = servers.redis ?? {};

const STATES = 1_200;
const committed = { committed: true } as const;
const fenced = { refused: "fenced" } as const;
const isNative = servers.redis?.origin === "native";

await t.test("an emptied Redis refuses the owner, and is claimed as one that never committed", { skip }, async (t) => {
  const { store } = await open(t);
  await commitAt(store, 0, await claimed(store));
  await controls?.flushAll();
  t.strictSame(await store.load(a0, "one", 1, keysOf(3)), fenced);
  t.strictSame(await store.commit(a0, "one", 1, { meta: metaAt(2), changes: statesSaying("2", 3) }), fenced);
  t.strictSame(await store.commit(a0, "one", 1, { meta: metaAt(2), changes: statesSaying("2", STATES) }), fenced);
  t.notOk(await store.verify(a0, "one", 1));
  t.strictSame(await store.claim(a0, "one"), { meta: null, deadlines: [] });
  t.strictSame(await store.peek(a0, keysOf(STATES)), []);
  t.strictSame(await commitAt(store, 0, 1), committed);
});

await t.test("scripts that Redis has forgotten are loaded again", { skip }, async (t) => {
  const { store, admin } = await open(t);
  await claimed(store);
  for (const [position, size] of [3, STATES, 3, STATES].entries()) {
    await admin.script("FLUSH");
    t.strictSame(await commitAt(store, position, position + 1, size), committed);
    await admin.script("FLUSH");
    const loaded = await store.load(a0, "one", position + 1, keysOf(size));
    t.equal("rows" in loaded && loaded.rows.length, size);
  }
  await admin.script("FLUSH");
  t.equal((await store.claim(a0, "two")).deadlines.length, STATES / 3);
  t.equal((await store.scan(a0, { prefix: "k", after: null, limit: STATES * 2 })).length, STATES);
});

await t.test(
  "a killed Redis leaves every answered commit, whole; what was under way is unknown",
  { skip },
  async (t) => {
    const { store, log } = await open(t);
    await claimed(store);
    const answered = await commitUntilKilled(t, store);
    await t.rejects(store.commit(a0, "one", answered, { meta: metaAt(1), changes: [] }), {
      code: /^store_un(available|known)$/,
    });
    await t.rejects(
      store.load(a0, "one", answered, keysOf(1)),
      { code: "store_unavailable" },
      "a failure is no absence",
    );
    await t.rejects(store.peek(a0, keysOf(1)), { code: "store_unavailable" });
    await t.rejects(store.verify(a0, "one", answered), { code: "store_unavailable" });
    await restarted(log);
    const position = await wholePosition(t, store);
    t.ok(position >= answered, `position ${position}, answered ${answered}`);
  },
);

const unreachableFiles = isNative ? false : "the server's files are out of reach";
await t.test(
  "a Redis that lost its last writes shows an older commit, whole",
  { skip: skip || unreachableFiles },
  async (t) => {
    const { store, admin, log, prefix } = await open(t);
    const aof = await appendOnlyFile(admin);
    const { size: before } = await stat(aof);
    let position = await claimed(store);
    for (; position < 12; position += 1)
      await commitAt(store, position, position + 1, position % 2 === 0 ? 40 : STATES);
    let unfolded = 0;
    for (const kept of [0.998, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.7]) {
      const lost = log.untilLost();
      await controls?.kill9();
      await lost;
      await truncate(aof, before + Math.floor(((await stat(aof)).size - before) * kept));
      await restarted(log);
      unfolded += await admin.exists(partitionKeys(prefix, a0).decided);
      const next = await wholePosition(t, store);
      t.ok(next <= position, `${kept} of the writes kept: position ${next} after ${position}`);
      position = next;
      t.strictSame(await store.load(a0, "one", position, keysOf(1)), fenced, "the owner before is out");
    }
    t.ok(unfolded > 0, "one cut fell between a decision and its folds");
    t.ok(position < 8 && position > 0, `at the end position ${position} of 12 is left`);
  },
);

await t.test("a Redis that hangs is given up: a commit is unknown, a read unavailable", { skip }, async (t) => {
  const { store, log } = await open(t, 400);
  await claimed(store);
  await commitAt(store, 0, 1, 3);
  await controls?.pause();
  await t.rejects(store.load(a0, "one", 1, keysOf(3)), { code: "store_unavailable" });
  await t.rejects(store.load(a0, "one", 1, keysOf(3)), { code: "store_unavailable" }, "at once: nothing is queued");
  const again = log.untilConnected();
  await controls?.resume();
  await again;
  t.ok(await store.verify(a0, "one", 1));
  await controls?.pause();
  await t.rejects(commitAt(store, 1, 2, 3), { code: "store_unknown" });
  const back = log.untilConnected();
  await controls?.resume();
  await back;
  await wholePosition(t, store, 3);
});

await t.test("a large commit that hangs is unknown from its decision on, and not before", { skip }, async (t) => {
  for (const [script, code] of [
    ["stage", "store_unavailable"],
    ["decide", "store_unknown"],
  ] as const) {
    const { store, prefix } = await open(t);
    const settings = { url, prefix, chunkStates: 500, timeoutMs: 400 };
    const paused = await openWatched(settings, {
      before: async (name) => {
        if (name === script) await controls?.pause();
      },
    });
    t.teardown(() => paused.close());
    await claimed(store);
    await t.rejects(commitAt(paused, 0, 1, STATES), { code });
    await controls?.resume();
    const position = await wholePosition(t, store);
    if (script === "stage") t.equal(position, 0);
  }
});

await t.test("a full memory and a full disk refuse commits for now and change nothing", { skip }, async (t) => {
  const { store, admin } = await open(t);
  await commitAt(store, await claimed(store), 1, 40);
  const refusals: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
    ["OOM", () => admin.config("SET", "maxmemory", "1"), () => admin.config("SET", "maxmemory", "0")],
  ];
  if (isNative) refusals.push(["MISCONF", () => failSnapshots(admin), () => mendSnapshots(admin)]);
  else t.comment("no MISCONF: the server's files are out of reach");
  for (const [code, cause, mend] of refusals) {
    await cause();
    for (const size of [40, STATES])
      await t.rejects(commitAt(store, 1, 2, size), { code: "store_unavailable", fields: { redis_code: code } });
    const loaded = await store.load(a0, "one", 1, keysOf(STATES));
    t.equal("rows" in loaded && new Set(loaded.rows.map(({ value }) => value)).size, 1, `${code}: reads go on`);
    // The first claim of a partition writes; it must not have to wait for memory.
    if (code === "OOM") await store.claim({ stage: "B", partition: 0 }, "any");
    await mend();
    t.ok(await store.verify(a0, "one", 1));
  }
  t.strictSame(await commitAt(store, 1, 2, STATES), committed);
});

await t.test(
  "a Redis that a fail-over made a replica is left for whoever answers under its name now, and nothing is changed",
  { skip },
  async (t) => {
    const { store, admin, log } = await open(t);
    await commitAt(store, await claimed(store), 1);
    for (const size of [40, STATES]) {
      await admin.call("REPLICAOF", "127.0.0.1", "1");
      const again = log.untilConnected();
      await t.rejects(commitAt(store, 1, 2, size), {
        code: "store_unavailable",
        fields: { redis_code: "READONLY" },
      });
      await again;
      const loaded = await store.load(a0, "one", 1, keysOf(STATES));
      t.strictSame("rows" in loaded && new Set(loaded.rows.map(({ value }) => value)), new Set(['"1"']), "reads go on");
      await admin.call("REPLICAOF", "NO", "ONE");
    }
    t.strictSame(await commitAt(store, 1, 2), committed);
  },
);

await t.test("a full memory keeps nobody from reading a commit that was decided before", { skip }, async (t) => {
  const { store, admin, prefix } = await open(t);
  const settings = { url, prefix, chunkStates: 500 };
  const dying = await openWatched(settings, {
    before: (name) => {
      if (name === "fold") throw new WinnowError("store_unavailable", "planted");
    },
  });
  t.teardown(() => dying.close());
  await claimed(store);
  t.strictSame(await commitAt(dying, 0, 1), committed);
  await admin.config("SET", "maxmemory", "1");
  t.teardown(() => admin.config("SET", "maxmemory", "0"));
  t.equal((await store.peek(a0, keysOf(STATES))).length, STATES);
  await admin.config("SET", "maxmemory", "0");
});

await t.test(
  "a Redis that may evict states is refused at start and at a claim, with the way to mend it",
  { skip },
  async (t) => {
    const { store, admin } = await open(t);
    await claimed(store);
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    t.teardown(() => admin.config("SET", "maxmemory-policy", "noeviction"));
    const refusal = { code: "store_unsuitable", retry: "permanent", message: /CONFIG SET maxmemory-policy noeviction/ };
    await t.rejects(openRedisWindowStore({ url, partitions: 4, log: new HeardLog() }), refusal);
    await t.rejects(store.claim(a0, "two"), refusal);
  },
);

await t.test(
  "a changed partition count is refused, also after Redis was emptied by somebody else",
  { skip },
  async (t) => {
    const { store, prefix } = await open(t);
    const other = { url, prefix, partitions: 5, log: new HeardLog() };
    await t.rejects(openRedisWindowStore(other), {
      code: "partitions_changed",
      fields: { stored: "4", configured: 5 },
    });
    await controls?.flushAll();
    const intruder = await openRedisWindowStore(other);
    await intruder.close();
    await t.rejects(store.claim(a0, "one"), { code: "partitions_changed" });
  },
);

await t.test(
  "a wrong password and an unreachable Redis are told apart, and no password is told",
  { skip },
  async (t) => {
    const wrong = new URL(url);
    wrong.password = "not-the-one";
    const refused = await failureOf(openRedisWindowStore({ url: wrong.href, partitions: 4, log: new HeardLog() }));
    t.equal(refused.code, "store_unsuitable");
    wrong.port = "1";
    const unreachable = await failureOf(openRedisWindowStore({ url: wrong.href, partitions: 4, log: new HeardLog() }));
    t.equal(unreachable.code, "store_unavailable");
    t.notMatch(
      JSON.stringify([refused.message, refused.fields, unreachable.message, unreachable.fields]),
      /not-the-one/,
    );
  },
);

interface Place {
  readonly store: WindowStore;
  readonly admin: Redis;
  readonly log: HeardLog;
  readonly prefix: string;
}

async function open(t: Test, timeoutMs = 5_000): Promise<Place> {
  const [log, prefix] = [new HeardLog(), newPrefix()];
  const store = await openRedisWindowStore({ url, prefix, partitions: 4, log, timeoutMs });
  const admin = new Redis(url);
  admin.on("error", () => {});
  t.teardown(async () => {
    await store.close();
    admin.disconnect();
  });
  return { store, admin, log, prefix };
}

/** Claims as "one"; the position, 0. */
async function claimed(store: WindowStore): Promise<number> {
  await store.claim(a0, "one");
  return 0;
}

/** Lets "one" commit that many states, all saying `next`. */
function commitAt(store: WindowStore, previous: number, next: number, size = STATES) {
  return store.commit(a0, "one", previous, { meta: metaAt(next), changes: statesSaying(`${next}`, size) });
}

/** Commits on and on, kills Redis behind the fifth answer; the last answered position. */
async function commitUntilKilled(t: Test, store: WindowStore): Promise<number> {
  for (let position = 0; ; position += 1) {
    const killed = position === 5 ? controls?.kill9() : undefined;
    try {
      await commitAt(store, position, position + 1);
    } catch (error) {
      t.match(error, { code: /^store_(unknown|unavailable)$/ });
      await killed;
      return position;
    }
  }
}

/** Starts Redis again and waits for the store's connection. */
async function restarted(log: HeardLog): Promise<void> {
  const again = log.untilConnected();
  await controls?.start();
  await again;
}

/** Claims as an heir and holds that all states are of the last commit; its position. */
async function wholePosition(t: Test, store: WindowStore, size = STATES): Promise<number> {
  const { meta } = await store.claim(a0, "heir");
  const position = meta?.position ?? 0;
  // The first forty are in each commit.
  const rows = await store.peek(a0, keysOf(Math.min(size, 40)));
  t.strictSame(new Set(rows.map(({ value }) => value)), position === 0 ? new Set() : new Set([`"${position}"`]));
  const others = await store.peek(a0, keysOf(size).slice(40));
  t.ok(new Set(others.map(({ value }) => value)).size <= 1, "and the others of one commit");
  return position;
}

async function settingOf(admin: Redis, name: string): Promise<string> {
  const [, value = ""] = await admin.config("GET", name);
  return value;
}

/** The file of the append-only log that grows. */
async function appendOnlyFile(admin: Redis): Promise<string> {
  const folder = join(await settingOf(admin, "dir"), await settingOf(admin, "appenddirname"));
  const file = (await readdir(folder)).find((name) => name.endsWith(".incr.aof"));
  if (file === undefined) throw new Error(`no growing file in ${folder}`);
  return join(folder, file);
}

/** Makes Redis fail to write its snapshot, as on a full disk: a folder is where its file should be. */
async function failSnapshots(admin: Redis): Promise<void> {
  await mkdir(join(await settingOf(admin, "dir"), await settingOf(admin, "dbfilename")));
  await admin.config("SET", "save", "3600 1");
  await admin.bgsave();
  await snapshotEnded(admin);
}

async function mendSnapshots(admin: Redis): Promise<void> {
  await admin.config("SET", "save", "");
  await rm(join(await settingOf(admin, "dir"), await settingOf(admin, "dbfilename")), { recursive: true });
  await admin.bgsave();
  await snapshotEnded(admin);
}

async function snapshotEnded(admin: Redis): Promise<void> {
  while (/rdb_bgsave_in_progress:1/.test(await admin.info("persistence")));
}

async function failureOf(promise: Promise<unknown>): Promise<WinnowError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WinnowError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
