import type { StagePartition, StateChange, StateRow, WindowStore } from "@winnow/ports";
import type { Test } from "tap";
import { windowStoreModelTests } from "./window-store-model.ts";
import { contractPartitions, metaAt, put, rowsOf } from "./window-store-samples.ts";

/** Storage of one test: several clients may use it at once, as processes would. */
export interface WindowStorage {
  /** One more client of this storage. */
  connect(): Promise<WindowStore>;
  /** Deletes everything; all clients are closed by then. */
  remove(): Promise<void>;
}

/** How the suite reaches the adapter under test. */
export interface WindowStoreHarness {
  readonly name: string;
  /** Empty storage of its own, with room for stages A and B with so many partitions. */
  open(options: { readonly partitions: number }): Promise<WindowStorage>;
}

/** A test's storage and its clients, all closed behind it. */
export class WindowPlace {
  readonly #storage: WindowStorage;
  readonly #clients: WindowStore[] = [];

  constructor(storage: WindowStorage) {
    this.#storage = storage;
  }

  async connect(): Promise<WindowStore> {
    const store = await this.#storage.connect();
    this.#clients.push(store);
    return store;
  }

  async close(): Promise<void> {
    for (const store of this.#clients) await store.close();
    await this.#storage.remove();
  }
}

export type WindowCase = readonly [title: string, body: (t: Test, place: WindowPlace) => Promise<void>];

/** Every adapter of the WindowStore port must pass this suite unchanged. */
export async function windowStoreContract(t: Test, harness: WindowStoreHarness): Promise<void> {
  for (const [title, body] of [...fencing, ...committing, ...reading, ...windowStoreModelTests]) {
    await t.test(`${harness.name}: ${title}`, async (t) => {
      const place = new WindowPlace(await harness.open({ partitions: contractPartitions }));
      try {
        await body(t, place);
      } finally {
        await place.close();
      }
    });
  }
}

const a0: StagePartition = { stage: "A", partition: 0 };
const committed = { committed: true } as const;
const fenced = { refused: "fenced" } as const;
const behind = { refused: "position" } as const;

const fencing: readonly WindowCase[] = [
  [
    "a partition that never committed is claimed with no meta and no deadlines",
    async (t, place) => {
      const store = await place.connect();
      t.strictSame(await store.claim(a0, "one"), { meta: null, deadlines: [] });
      t.ok(await store.verify(a0, "one", 0), "its position is 0");
      t.strictSame(
        await store.metas("A"),
        Array.from({ length: contractPartitions }, (_, partition) => ({ partition, meta: null })),
      );
    },
  ],
  [
    "nobody may load, commit or verify without a claim",
    async (t, place) => {
      const store = await place.connect();
      t.strictSame(await store.load(a0, "one", 0, ["k"]), fenced);
      t.strictSame(await store.commit(a0, "one", 0, { meta: metaAt(1), changes: [put("k", "1")] }), fenced);
      t.notOk(await store.verify(a0, "one", 0));
      t.strictSame(await store.peek(a0, ["k"]), []);
    },
  ],
  [
    "a second claim shuts the first owner out of load, commit and verify at once",
    async (t, place) => {
      const [old, young] = [await place.connect(), await place.connect()];
      await old.claim(a0, "old");
      await old.commit(a0, "old", 0, { meta: metaAt(5), changes: [put("k", "old")] });
      t.strictSame((await young.claim(a0, "young")).meta, metaAt(5), "the new owner reads the whole commit");
      t.strictSame(await old.load(a0, "old", 5, ["k"]), fenced);
      t.strictSame(await old.commit(a0, "old", 5, { meta: metaAt(6), changes: [put("k", "zombie")] }), fenced);
      t.notOk(await old.verify(a0, "old", 5));
      t.strictSame(rowsOf(await young.load(a0, "young", 5, ["k"])), [put("k", "old")], "the zombie left no trace");
      t.ok(await young.verify(a0, "young", 5));
    },
  ],
  [
    "a position ahead or behind the stored one is refused by load, commit and verify",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      await store.commit(a0, "one", 0, { meta: metaAt(5), changes: [put("k", "1")] });
      for (const position of [0, 4, 6]) {
        t.strictSame(await store.load(a0, "one", position, ["k"]), behind);
        t.strictSame(await store.commit(a0, "one", position, { meta: metaAt(9), changes: [put("k", "2")] }), behind);
        t.notOk(await store.verify(a0, "one", position));
      }
      t.strictSame(rowsOf(await store.load(a0, "one", 5, ["k"])), [put("k", "1")]);
      t.strictSame((await store.claim(a0, "one")).meta, metaAt(5));
    },
  ],
  [
    "stages and partitions know nothing of each other",
    async (t, place) => {
      const store = await place.connect();
      const places: StagePartition[] = [a0, { stage: "A", partition: 1 }, { stage: "B", partition: 0 }];
      for (const [index, at] of places.entries()) {
        await store.claim(at, `owner-${index}`);
        const meta = metaAt(index + 1);
        await store.commit(at, `owner-${index}`, 0, { meta, changes: [put("same", `${index}`)] });
      }
      for (const [index, at] of places.entries()) {
        t.strictSame(rowsOf(await store.load(at, `owner-${index}`, index + 1, ["same"])), [put("same", `${index}`)]);
      }
      t.strictSame(await store.load(a0, "owner-1", 1, ["same"]), fenced);
      t.strictSame((await store.metas("B"))[0], { partition: 0, meta: metaAt(3) });
    },
  ],
];

const committing: readonly WindowCase[] = [
  [
    "a commit stores new states, replaces old ones and deletes what it says",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      await store.commit(a0, "one", 0, {
        meta: metaAt(1),
        changes: [put("a", "1", { deadline_ms: 10 }), put("b", "1"), put("c", "1", { deadline_ms: 30 })],
      });
      const second: StateChange[] = [
        put("a", "2", { changed_at: 2 }),
        put("b", "2", { deadline_ms: 20, changed_at: 2 }),
        { key: "c", value: null, deadline_ms: null, changed_at: 2 },
        { key: "never was", value: null, deadline_ms: null, changed_at: 2 },
      ];
      t.strictSame(await store.commit(a0, "one", 1, { meta: metaAt(2), changes: second }), committed);
      t.strictSame(rowsOf(await store.load(a0, "one", 2, ["a", "b", "c", "never was"])), second.slice(0, 2));
      const claim = await store.claim(a0, "two");
      t.strictSame(claim.deadlines, [{ key: "b", deadline_ms: 20 }], "deadlines follow their states");
    },
  ],
  [
    "a commit that fails in its middle leaves nothing",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      await store.commit(a0, "one", 0, { meta: metaAt(1), changes: [put("kept", "1"), put("gone", "1")] });
      const changes: StateChange[] = [
        put("kept", "2"),
        put("new", "2"),
        { key: "gone", value: null, deadline_ms: null, changed_at: 2 },
        put("impossible", "2", { changed_at: 0.5 }),
      ];
      await t.rejects(store.commit(a0, "one", 1, { meta: metaAt(2), changes }));
      t.strictSame(rowsOf(await store.load(a0, "one", 1, ["kept", "new", "gone", "impossible"])), [
        put("gone", "1"),
        put("kept", "1"),
      ]);
      t.strictSame((await store.claim(a0, "one")).meta, metaAt(1));
    },
  ],
  [
    "commits that arrive together each get their own result",
    async (t, place) => {
      const store = await place.connect();
      const at = (partition: number): StagePartition => ({ stage: partition % 2 === 0 ? "A" : "B", partition });
      const numbers = Array.from({ length: 12 }, (_, index) => index);
      for (const n of numbers) await store.claim(at(n), `owner-${n}`);
      const results = await Promise.allSettled(
        numbers.map((n) =>
          store.commit(at(n), n % 4 === 1 ? "somebody else" : `owner-${n}`, n % 4 === 2 ? 99 : 0, {
            meta: metaAt(n + 1),
            changes: [put("k", `${n}`), put("l", `${n}`, n % 4 === 3 ? { changed_at: 0.5 } : {})],
          }),
        ),
      );
      for (const [n, result] of results.entries()) {
        const got = result.status === "fulfilled" ? result.value : "rejected";
        t.strictSame(got, [committed, fenced, behind, "rejected"][n % 4], `commit ${n}`);
        t.equal((await store.peek(at(n), ["k", "l"])).length, n % 4 === 0 ? 2 : 0);
      }
    },
  ],
  [
    "of two commits of one position sent together only the first is taken",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      const results = await Promise.all([
        store.commit(a0, "one", 0, { meta: metaAt(1), changes: [put("k", "first")] }),
        store.commit(a0, "one", 0, { meta: metaAt(2), changes: [put("k", "second")] }),
      ]);
      t.strictSame(results, [committed, behind]);
      t.strictSame(await store.peek(a0, ["k"]), [put("k", "first")]);
    },
  ],
  [
    "10,000 states go in and come out in one piece, with their deadlines",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      const changes = Array.from({ length: 10_000 }, (_, n) =>
        put(`key-${String(n).padStart(5, "0")}`, JSON.stringify({ n, text: "x".repeat(n % 700) }), {
          deadline_ms: n % 2 === 0 ? 1_700_000_000_000 + n : null,
          changed_at: n,
        }),
      );
      t.strictSame(await store.commit(a0, "one", 0, { meta: metaAt(1), changes }), committed);
      t.strictSame(
        rowsOf(
          await store.load(
            a0,
            "one",
            1,
            changes.map((change) => change.key),
          ),
        ),
        changes,
      );
      const { deadlines } = await store.claim(a0, "two");
      t.strictSame(
        deadlines.toSorted((left, right) => left.deadline_ms - right.deadline_ms),
        changes.flatMap(({ key, deadline_ms }) => (deadline_ms === null ? [] : [{ key, deadline_ms }])),
      );
    },
  ],
  [
    "texts of every script come back as they were, in keys too",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      const texts = [
        "Grüße",
        "警报",
        "🚨👩‍🚒",
        "a'b\"c\\d; DROP TABLE state",
        "line\nbreak\ttab",
        "\u007f\u2028\ufeff",
        "%_*?[x]",
      ];
      const changes = texts.map((text) => put(`k:${text}`, JSON.stringify({ [text]: text })));
      await store.commit(a0, "one", 0, { meta: { ...metaAt(1), log_id: texts.join() }, changes });
      const read = await store.peek(
        a0,
        changes.map((change) => change.key),
      );
      t.strictSame(
        new Map(read.map((row) => [row.key, row.value])),
        new Map(changes.map((row) => [row.key, row.value])),
      );
      t.equal((await store.claim(a0, "one")).meta?.log_id, texts.join());
    },
  ],
  [
    "what was committed is there after closing and opening again, and the owner still holds",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      await store.commit(a0, "one", 0, { meta: metaAt(7), changes: [put("k", "1", { deadline_ms: 5 })] });
      await store.close();
      const again = await place.connect();
      t.ok(await again.verify(a0, "one", 7));
      t.strictSame(await again.peek(a0, ["k"]), [put("k", "1", { deadline_ms: 5 })]);
      t.strictSame(await again.claim(a0, "two"), { meta: metaAt(7), deadlines: [{ key: "k", deadline_ms: 5 }] });
    },
  ],
  [
    "a closed store refuses instead of hanging",
    async (t, place) => {
      const store = await place.connect();
      await store.close();
      await t.rejects(store.claim(a0, "one"), { code: "store_unavailable" });
      await store.close();
    },
  ],
];

const reading: readonly WindowCase[] = [
  [
    "missing keys are absent from load and peek, and no keys are no rows",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      await store.commit(a0, "one", 0, { meta: metaAt(1), changes: [put("b", "1")] });
      t.strictSame(await store.load(a0, "one", 1, ["a", "b", "c"]), { rows: [put("b", "1")] });
      t.strictSame(await store.load(a0, "one", 1, []), { rows: [] });
      t.strictSame(await store.peek(a0, ["a", "c"]), []);
    },
  ],
  [
    "a scan walks the keys of a prefix page by page in order, and no others",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(a0, "one");
      const keys = ["alert", "alert:1", "alert:10", "alert:2", "alert:é", "alert:\u{1f6a8}", "alertx", "b:1", "a"];
      const changes = keys.map((key) => put(key, `"${key}"`));
      await store.commit(a0, "one", 0, { meta: metaAt(1), changes });
      const seen: string[] = [];
      for (let after: string | null = null; ; ) {
        const page: readonly StateRow[] = await store.scan(a0, { prefix: "alert:", after, limit: 2 });
        seen.push(...page.map((row) => row.key));
        after = page.at(-1)?.key ?? null;
        if (page.length < 2) break;
      }
      t.strictSame(seen, ["alert:1", "alert:10", "alert:2", "alert:é", "alert:\u{1f6a8}"]);
      t.strictSame(await store.scan(a0, { prefix: "zzz", after: null, limit: 10 }), []);
      t.equal((await store.scan(a0, { prefix: "", after: null, limit: 100 })).length, keys.length);
    },
  ],
  [
    "the last commits of all partitions can be read by anybody, outcomes and counts included",
    async (t, place) => {
      const [store, reader] = [await place.connect(), await place.connect()];
      for (const partition of [1, 3]) {
        const at: StagePartition = { stage: "B", partition };
        await store.claim(at, "one");
        await store.commit(at, "one", 0, { meta: metaAt(partition * 10), changes: [] });
      }
      const metas = await reader.metas("B");
      t.equal(metas.length, contractPartitions);
      t.strictSame(
        metas.filter(({ meta }) => meta !== null),
        [1, 3].map((partition) => ({ partition, meta: metaAt(partition * 10) })),
      );
    },
  ],
];
