import { openRedisWindowStore } from "@winnow/adapters/windows-redis";
import { WinnowError } from "@winnow/platform";
import type { CommitResult, StateRow, WindowStore } from "@winnow/ports";
import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { Redis } from "ioredis";
import t, { type Test } from "tap";
import { partitionKeys } from "../../src/windows-redis/keys.ts";
import {
  a0,
  HeardLog,
  keysOf,
  metaAt,
  newPrefix,
  openWatched,
  removePrefix,
  statesSaying,
  type Watch,
} from "./support.ts";

t.setTimeout(240_000);
const servers = await sharedServers(t, ["redis"]);
const skip = skipWithout(servers, "redis");
const url = servers.redis?.url ?? "";

/** With two states in a script, a commit of seven takes four stages, a decision and four folds. */
const CHUNK_STATES = 2;
const STATES = 7;
const SCRIPTS = ["stage", "stage", "stage", "stage", "decide", "fold", "fold", "fold", "fold"];
const DECISION = SCRIPTS.indexOf("decide");
/** The first deadline of new states; that of old ones is 0. */
const NEW_DUE = 100;
const committed = { committed: true } as const;

await t.test("a commit cut off at any script is there as a whole or not at all", { skip }, async (t) => {
  for (const [fatal, name] of SCRIPTS.entries()) {
    const place = await openPlace(t);
    const dying = await place.watched({
      before: (script, number) => {
        if (number === fatal) t.equal(script, name);
        if (number >= fatal) throw new WinnowError("store_unavailable", "planted");
      },
    });
    const isDone = fatal > DECISION;
    const result = await outcomeOf(secondCommit(place.store, dying));
    t.equal(result, isDone ? "committed" : "store_unavailable", `cut off before script ${fatal}, ${name}`);
    await holdsOne(t, place.store, isDone ? "new" : "old");
    await place.close();
  }
});

await t.test("a commit that loses any answer is there as a whole or not at all", { skip }, async (t) => {
  for (const [fatal, name] of SCRIPTS.entries()) {
    const place = await openPlace(t);
    const dying = await place.watched({
      after: (script, number) => {
        if (number === fatal) t.equal(script, name);
        if (number >= fatal)
          throw new WinnowError(script === "decide" ? "store_unknown" : "store_unavailable", "planted");
      },
    });
    const result = await outcomeOf(secondCommit(place.store, dying));
    const expected = fatal > DECISION ? "committed" : fatal === DECISION ? "store_unknown" : "store_unavailable";
    t.equal(result, expected, `no answer from script ${fatal}, ${name}`);
    await holdsOne(t, place.store, fatal >= DECISION ? "new" : "old");
    await place.close();
  }
});

/** Readers and writers, each as the first to meet a commit that is decided and not folded in; the states they read. */
const firstComers: Readonly<Record<string, (store: WindowStore) => Promise<readonly StateRow[] | null>>> = {
  peek: (store) => store.peek(a0, keysOf(STATES)),
  scan: (store) => store.scan(a0, { prefix: "k", after: null, limit: 100 }),
  load: async (store) => {
    const loaded = await store.load(a0, "one", 2, keysOf(STATES));
    return "rows" in loaded ? loaded.rows : [];
  },
  claim: async (store) => {
    const { deadlines } = await store.claim(a0, "two");
    return deadlines.length === 3 && deadlines.every(({ deadline_ms }) => deadline_ms >= NEW_DUE) ? null : [];
  },
  "small commit": async (store) => {
    const result = await store.commit(a0, "one", 2, { meta: metaAt(3), changes: statesSaying("new", 1, NEW_DUE) });
    return "committed" in result ? null : [];
  },
  "large commit": async (store) => {
    const changes = statesSaying("new", STATES, NEW_DUE).slice(1);
    const result = await store.commit(a0, "one", 2, { meta: metaAt(3), changes });
    return "committed" in result ? null : [];
  },
};

await t.test("whoever meets a decided commit first sees it whole and builds on it", { skip }, async (t) => {
  for (const [name, come] of Object.entries(firstComers)) {
    const place = await openPlace(t);
    const dying = await place.watched({
      before: (script) => {
        if (script === "fold") throw new WinnowError("store_unavailable", "planted");
      },
    });
    t.equal(await outcomeOf(secondCommit(place.store, dying)), "committed");
    const admin = new Redis(url);
    t.equal(await admin.exists(partitionKeys(place.prefix, a0).decided), 1, "it is not folded in");
    admin.disconnect();
    const rows = await come(place.store);
    if (rows !== null)
      t.strictSame(
        rows.map(({ value }) => value),
        Array(STATES).fill('"new"'),
        name,
      );
    await holdsOne(t, place.store, "new");
    await place.close();
  }
});

await t.test("what a small commit changes is not undone by the commit before it", { skip }, async (t) => {
  const place = await openPlace(t);
  const dying = await place.watched({
    before: (script) => {
      if (script === "fold") throw new WinnowError("store_unavailable", "planted");
    },
  });
  await secondCommit(place.store, dying);
  await place.store.commit(a0, "one", 2, { meta: metaAt(3), changes: statesSaying("newest", 1) });
  const rows = await place.store.peek(a0, keysOf(2));
  t.strictSame(
    rows.map(({ value }) => value),
    ['"newest"', '"new"'],
  );
  await place.close();
});

await t.test("a claim between the scripts of a commit keeps it out for good", { skip }, async (t) => {
  for (const [number, name] of SCRIPTS.slice(0, DECISION + 1).entries()) {
    const place = await openPlace(t);
    const overtaken = await place.watched({
      before: async (_, at) => {
        if (at === number) await place.store.claim(a0, "young");
      },
    });
    await place.store.claim(a0, "old");
    const result = await overtaken.commit(a0, "old", 0, { meta: metaAt(1), changes: statesSaying("zombie", STATES) });
    t.strictSame(result, { refused: "fenced" }, `claimed before script ${number}, ${name}`);
    t.strictSame(await place.store.peek(a0, keysOf(STATES)), []);
    t.strictSame(await place.store.claim(a0, "young"), { meta: null, deadlines: [] });
    await place.close();
  }
});

await t.test("two large commits of one owner never mix, wherever they meet", { skip }, async (t) => {
  for (const number of SCRIPTS.slice(0, DECISION + 1).keys()) {
    const place = await openPlace(t);
    let other: string | null = null;
    const disturbed = await place.watched({
      before: async (_, at) => {
        if (at !== number) return;
        const first = await openWatched(place.settings, {
          before: (script) => {
            if (script === "decide") throw new WinnowError("store_unavailable", "planted");
          },
        });
        const changes = statesSaying("other", STATES);
        other = await outcomeOf(first.commit(a0, "one", 0, { meta: metaAt(1), changes }));
        await first.close();
      },
    });
    await place.store.claim(a0, "one");
    const changes = statesSaying("mine", STATES);
    const mine = await outcomeOf(disturbed.commit(a0, "one", 0, { meta: metaAt(1), changes }));
    t.equal(other, "store_unavailable", "the other one gave up before its decision");
    const rows = await place.store.peek(a0, keysOf(STATES));
    t.equal(mine, number === 0 ? "committed" : "store_unavailable");
    t.strictSame(
      rows.map(({ value }) => value),
      number === 0 ? Array(STATES).fill('"mine"') : [],
    );
    await place.close();
  }
});

await t.test(
  "a claim that is overtaken while it reads deadlines fails instead of missing some",
  { skip },
  async (t) => {
    const place = await openPlace(t);
    const overtaken = await place.watched({
      after: async (name, number) => {
        if (name === "due" && number === 1) await place.store.claim(a0, "young");
      },
    });
    await place.store.claim(a0, "old");
    await place.store.commit(a0, "old", 0, { meta: metaAt(1), changes: statesSaying("s", 2_500) });
    await t.rejects(overtaken.claim(a0, "late"), { code: "store_unavailable" });
    t.equal((await place.store.claim(a0, "again")).deadlines.length, 834);
    await place.close();
  },
);

await t.test("states larger than a script takes go in whole", { skip }, async (t) => {
  const place = await openPlace(t);
  await place.store.claim(a0, "one");
  const changes = statesSaying("x".repeat(700_000), 5);
  t.strictSame(await place.store.commit(a0, "one", 0, { meta: metaAt(1), changes }), committed);
  t.strictSame(await place.store.load(a0, "one", 1, keysOf(5)), { rows: changes });
  await place.close();
});

await t.test("thousands of keys that are peeked at are of one commit", { skip }, async (t) => {
  const place = await openPlace(t);
  await place.store.claim(a0, "one");
  let commits = 0;
  const interrupted = await place.watched({
    after: async (name) => {
      if (name !== "peek" || commits === 2) return;
      commits += 1;
      const changes = statesSaying(`${commits}`, 1_200);
      await place.store.commit(a0, "one", commits - 1, { meta: metaAt(commits), changes });
    },
  });
  const rows = await interrupted.peek(a0, keysOf(1_200));
  t.equal(commits, 2);
  t.equal(rows.length, 1_200);
  t.strictSame(new Set(rows.map(({ value }) => value)), new Set(['"2"']));
  await place.close();
});

await t.test("deleted states leave nothing behind, and commits no chunks", { skip }, async (t) => {
  const place = await openPlace(t);
  await place.store.claim(a0, "one");
  for (const [index, size] of [STATES, 1].entries()) {
    const changes = statesSaying("s", size);
    const gone = changes.map((change) => ({ ...change, value: null, deadline_ms: null }));
    await place.store.commit(a0, "one", index * 2, { meta: metaAt(index * 2 + 1), changes });
    await place.store.commit(a0, "one", index * 2 + 1, { meta: metaAt(index * 2 + 2), changes: gone });
  }
  const admin = new Redis(url);
  const keys = await admin.keys(`{${place.prefix}*`);
  admin.disconnect();
  t.strictSame(keys.toSorted(), [`{${place.prefix}:A:0}:owner`, `{${place.prefix}}:partitions`].toSorted());
  await place.close();
});

interface Place {
  readonly prefix: string;
  readonly settings: { readonly url: string; readonly prefix: string; readonly chunkStates: number };
  readonly store: WindowStore;
  /** Another client, with something between it and its scripts. */
  watched(watch: Watch): Promise<WindowStore>;
  close(): Promise<void>;
}

async function openPlace(t: Test): Promise<Place> {
  const settings = { url, prefix: newPrefix(), chunkStates: CHUNK_STATES };
  const store = await openRedisWindowStore({ ...settings, partitions: 4, log: new HeardLog() });
  const stores = [store];
  const close = async (): Promise<void> => {
    for (const one of stores) await one.close();
    await removePrefix(url, settings.prefix);
  };
  t.teardown(close);
  return {
    prefix: settings.prefix,
    settings,
    store,
    watched: async (watch) => {
      const other = await openWatched(settings, watch);
      stores.push(other);
      return other;
    },
    close,
  };
}

/** Lets "one" commit old states through `store`, then new ones through `dying`. */
async function secondCommit(store: WindowStore, dying: WindowStore): Promise<CommitResult> {
  await store.claim(a0, "one");
  await store.commit(a0, "one", 0, { meta: metaAt(1), changes: statesSaying("old", STATES) });
  return dying.commit(a0, "one", 1, { meta: metaAt(2), changes: statesSaying("new", STATES, NEW_DUE) });
}

/** Holds that all states say `value`, with their deadlines, and that a next owner can go on. */
async function holdsOne(t: Test, store: WindowStore, value: string): Promise<void> {
  const rows = await store.peek(a0, keysOf(STATES));
  t.strictSame(
    rows.map((row) => row.value),
    Array(STATES).fill(JSON.stringify(value)),
  );
  const { meta, deadlines } = await store.claim(a0, "heir");
  const due = deadlines.map(({ deadline_ms }) => deadline_ms).toSorted((left, right) => left - right);
  t.strictSame(due, value === "new" ? [NEW_DUE, NEW_DUE + 3, NEW_DUE + 6] : [0, 3, 6]);
  const position = meta?.position ?? 0;
  t.equal(position > 1, value === "new", `position ${position}`);
  const next = { meta: metaAt(position + 1), changes: statesSaying("next", STATES) };
  t.strictSame(await store.commit(a0, "heir", position, next), committed, "the next owner goes on");
}

async function outcomeOf(commit: Promise<CommitResult>): Promise<string> {
  try {
    const result = await commit;
    return "committed" in result ? "committed" : result.refused;
  } catch (error) {
    if (error instanceof WinnowError) return error.code;
    throw error;
  }
}
