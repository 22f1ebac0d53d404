import { isDeepStrictEqual } from "node:util";
import type {
  CheckpointResult,
  CheckpointStore,
  CommitMeta,
  StagePartition,
  StateChange,
  StateRow,
} from "@winnow/ports";
import fc from "fast-check";
import type { Test } from "tap";
import { metaAt } from "./incident-store-samples.ts";

/** Storage of one test: several clients may use it at once, as processes would. */
export interface CheckpointStorage {
  /** One more client of this storage. */
  connect(): Promise<CheckpointStore & { close(): Promise<void> }>;
  /** Deletes everything; all clients are closed by then. */
  remove(): Promise<void>;
}

/** How the suite reaches the adapter under test. */
export interface CheckpointStoreHarness {
  readonly name: string;
  /** Empty storage of its own, for partitions 0 to 63 of each stage. */
  open(): Promise<CheckpointStorage>;
}

interface Place {
  connect(): Promise<CheckpointStore>;
  /** Closes all clients so far. */
  disconnect(): Promise<void>;
}

type Case = readonly [title: string, body: (t: Test, place: Place) => Promise<void>];

const at: StagePartition = { stage: "B", partition: 3 };
const saved = { saved: true } as const;
const refused = { refused: "position" } as const;

function put(key: string, value: string, changedAt: number, deadlineMs: number | null = null): StateChange {
  return { key, value, deadline_ms: deadlineMs, changed_at: changedAt };
}

function drop(key: string, changedAt: number): StateChange {
  return { key, value: null, deadline_ms: null, changed_at: changedAt };
}

/** A save of one chunk at `position`. */
function save(
  store: CheckpointStore,
  previous: number,
  position: number,
  changes: readonly StateChange[],
): Promise<CheckpointResult> {
  return store.saveCheckpoint(at, { previous, meta: metaAt(position), changes: [changes] });
}

interface Loaded {
  readonly meta: CommitMeta;
  readonly rows: readonly StateRow[];
}

async function load(store: CheckpointStore, from: StagePartition = at): Promise<Loaded | null> {
  const checkpoint = await store.loadCheckpoint(from);
  if (checkpoint === null) return null;
  const rows: StateRow[] = [];
  for await (const chunk of checkpoint.rows) rows.push(...chunk);
  return { meta: checkpoint.meta, rows };
}

const single: readonly Case[] = [
  [
    "a partition without a checkpoint has none, and the first one follows 0",
    async (t, place) => {
      const store = await place.connect();
      t.equal(await load(store), null);
      t.equal(await store.checkpointMeta(at), null);
      t.strictSame(await save(store, 4, 9, [put("a", "1", 3)]), refused);
      t.equal(await load(store), null, "a refused save leaves nothing");
      t.equal(await store.checkpointMeta(at), null);
      t.strictSame(await save(store, 0, 9, []), saved);
      t.strictSame(await load(store), { meta: metaAt(9), rows: [] });
    },
  ],
  [
    "a checkpoint comes back whole: all states in key order with their deadlines and positions",
    async (t, place) => {
      const store = await place.connect();
      const big = JSON.stringify({ text: "Grüße 警报 🚨 \u0000 \ud800", more: "x".repeat(20_000) });
      const changes = [put("m:b", big, 4, 1_700_000_000_000), put("i:a", "{}", 8), put("m:a", "[1]", 0, 0)];
      t.strictSame(await save(store, 0, 9, changes), saved);
      t.strictSame(await load(store), {
        meta: metaAt(9),
        rows: [put("i:a", "{}", 8), put("m:a", "[1]", 0, 0), put("m:b", big, 4, 1_700_000_000_000)],
      });
      t.strictSame(await store.checkpointMeta(at), metaAt(9));
    },
  ],
  [
    "a later checkpoint needs only what changed: the rest stays and tombstones remove",
    async (t, place) => {
      const store = await place.connect();
      await save(store, 0, 5, [put("a", "1", 1), put("b", "1", 2, 7), put("c", "1", 3)]);
      t.strictSame(await save(store, 5, 9, [put("b", "2", 6), drop("c", 7), drop("never there", 7)]), saved);
      t.strictSame(await load(store), { meta: metaAt(9), rows: [put("a", "1", 1), put("b", "2", 6)] });
      t.strictSame(await save(store, 9, 12, [put("c", "3", 10)]), saved);
      t.strictSame((await load(store))?.rows, [put("a", "1", 1), put("b", "2", 6), put("c", "3", 10)]);
    },
  ],
  [
    "a checkpoint takes the place of one at the same position: another engine is to go on from there",
    async (t, place) => {
      const store = await place.connect();
      for (const position of [0, 5]) {
        await save(store, 0, position, []);
        const meta = { ...metaAt(position), engine_version: metaAt(position).engine_version + 1 };
        t.strictSame(await store.saveCheckpoint(at, { previous: position, meta, changes: [] }), saved);
        t.strictSame(await load(store), { meta, rows: [] });
      }
    },
  ],
  [
    "of several changes of a key the last one counts, in one chunk and over chunks",
    async (t, place) => {
      const store = await place.connect();
      const changes = [
        [put("a", "1", 1), put("a", "2", 2), put("b", "1", 1), drop("b", 2), drop("c", 1), put("c", "1", 2)],
        [put("a", "3", 3), put("b", "2", 3), drop("c", 3)],
      ];
      await store.saveCheckpoint(at, { previous: 0, meta: metaAt(9), changes });
      t.strictSame((await load(store))?.rows, [put("a", "3", 3), put("b", "2", 3)]);
    },
  ],
  [
    "a checkpoint is saved over the one it is built on alone, and never goes backwards",
    async (t, place) => {
      const store = await place.connect();
      await save(store, 0, 5, [put("a", "1", 1)]);
      for (const previous of [0, 4, 6]) {
        t.strictSame(await save(store, previous, 9, [put("a", "wrong", 1), drop("b", 1)]), refused);
      }
      await t.rejects(save(store, 5, 4, [put("a", "older", 1)]));
      await t.rejects(save(store, 5, 9, [put("a", "of the future", 9)]));
      t.strictSame(await load(store), { meta: metaAt(5), rows: [put("a", "1", 1)] });
      t.strictSame(await save(store, 5, 5, [put("a", "1", 1)]), saved, "the same again is no step backwards");
      t.strictSame(await save(store, 5, 9, [put("a", "2", 8)]), saved);
    },
  ],
  [
    "stages and partitions have checkpoints of their own",
    async (t, place) => {
      const store = await place.connect();
      const places: StagePartition[] = [
        { stage: "A", partition: 3 },
        { stage: "B", partition: 3 },
        { stage: "B", partition: 4 },
      ];
      for (const [n, one] of places.entries()) {
        const save = {
          previous: 0,
          meta: metaAt(n + 1),
          changes: [[put("a", String(n), 0), put(`only ${n}`, "1", 0)]],
        };
        t.strictSame(await store.saveCheckpoint(one, save), saved);
      }
      await store.saveCheckpoint(places[2] ?? at, { previous: 3, meta: metaAt(9), changes: [[drop("a", 5)]] });
      t.strictSame(await load(store, places[0]), { meta: metaAt(1), rows: [put("a", "0", 0), put("only 0", "1", 0)] });
      t.strictSame(await load(store, places[1]), { meta: metaAt(2), rows: [put("a", "1", 0), put("only 1", "1", 0)] });
      t.strictSame(await load(store, places[2]), { meta: metaAt(9), rows: [put("only 2", "1", 0)] });
    },
  ],
  [
    "changes that break off leave the stored checkpoint as it was",
    async (t, place) => {
      const store = await place.connect();
      await save(store, 0, 5, [put("a", "1", 1)]);
      async function* broken(): AsyncGenerator<readonly StateChange[]> {
        yield [put("a", "2", 6), put("b", "2", 6)];
        throw new Error("the window store went away");
      }
      const breaking = store.saveCheckpoint(at, { previous: 5, meta: metaAt(9), changes: broken() });
      await t.rejects(breaking, { message: "the window store went away" });
      t.strictSame(await load(store), { meta: metaAt(5), rows: [put("a", "1", 1)] });
      t.strictSame(await save(store, 5, 9, [put("a", "3", 8)]), saved);
    },
  ],
  [
    "what was saved is there for the next process",
    async (t, place) => {
      const store = await place.connect();
      await save(store, 0, 5, [put("a", "1", 1)]);
      await place.disconnect();
      const again = await place.connect();
      t.strictSame(await load(again), { meta: metaAt(5), rows: [put("a", "1", 1)] });
      t.strictSame(await save(again, 5, 6, [drop("a", 5)]), saved);
    },
  ],
];

const MANY = 3_201;
const keyOf = (n: number) => `k${String(n).padStart(6, "0")}`;

/** `MANY` states in uneven chunks, each saying `value`. */
function* many(value: string, changedAt: number): Generator<readonly StateChange[]> {
  for (let n = 0; n < MANY; n += 1_100) {
    const size = Math.min(1_100, MANY - n);
    yield Array.from({ length: size }, (_, index) => put(keyOf(n + index), value, changedAt));
  }
}

const together: readonly Case[] = [
  [
    "many states are saved and loaded in chunks, each once",
    async (t, place) => {
      const store = await place.connect();
      await store.saveCheckpoint(at, { previous: 0, meta: metaAt(5), changes: many("1", 1) });
      const loaded = await load(store);
      t.equal(loaded?.rows.length, MANY);
      t.ok(loaded?.rows.every(({ key, value }, n) => key === keyOf(n) && value === "1"));
      const dropped = Array.from({ length: MANY - 1 }, (_, n) => drop(keyOf(n), 6));
      t.strictSame(await save(store, 5, 9, dropped), saved);
      t.strictSame((await load(store))?.rows, [put(keyOf(MANY - 1), "1", 1)]);
    },
  ],
  [
    "a checkpoint that is saved over while it is read is never mixed with the new one",
    async (t, place) => {
      const [reader, writer] = [await place.connect(), await place.connect()];
      await writer.saveCheckpoint(at, { previous: 0, meta: metaAt(5), changes: many("old", 1) });
      const checkpoint = await reader.loadCheckpoint(at);
      if (checkpoint === null) throw new Error("there is a checkpoint");
      const rows: StateRow[] = [];
      const reading = (async () => {
        for await (const chunk of checkpoint.rows) {
          if (rows.length === 0) {
            await writer.saveCheckpoint(at, { previous: 5, meta: metaAt(9), changes: many("new", 6) });
          }
          rows.push(...chunk);
        }
      })();
      const [result] = await Promise.allSettled([reading]);
      if (result.status === "rejected") t.match(result.reason, { code: "store_unavailable" });
      else t.equal(rows.length, MANY);
      t.ok(
        rows.every(({ value }) => value === "old"),
        "only states of the checkpoint that was asked for",
      );
      t.strictSame((await load(reader))?.meta, metaAt(9));
    },
  ],
  [
    "of two savers of the same step one is refused, and what it brought is not there",
    async (t, place) => {
      const stores = [await place.connect(), await place.connect()] as const;
      for (let step = 0; step < 10; step += 1) {
        const [previous, position] = [step * 10, step * 10 + 10];
        const results = await Promise.all(
          stores.map((store, who) => save(store, previous, position, [put("a", `${who}`, previous)])),
        );
        t.strictSame(new Set(results.map((result) => JSON.stringify(result))).size, 2, `step ${step}`);
        const winner = results.findIndex((result) => "saved" in result);
        t.strictSame((await load(stores[0]))?.rows, [put("a", `${winner}`, previous)]);
      }
    },
  ],
  [
    "any sequence of saves leaves what a map with a position would hold",
    async (t, place) => {
      const stores = [await place.connect(), await place.connect()] as const;
      const key = fc.constantFrom("a", "b", "c", "d:é", "d:z", "e");
      const change = fc.record({ key, value: fc.option(fc.json({ maxDepth: 1 }), { nil: null }) });
      const step = fc.record({
        who: fc.constantFrom<0 | 1>(0, 1),
        skew: fc.constantFrom(0, 0, 0, -1, 1),
        by: fc.nat({ max: 3 }),
        chunks: fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 3 }),
      });
      let runs = 0;
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const here: StagePartition = { stage: "A", partition: runs };
        runs += 1;
        const states = new Map<string, StateRow>();
        let position = 0;
        for (const { who, skew, by, chunks } of steps) {
          const previous = position + skew;
          const meta = metaAt(Math.max(previous, 0) + by + 1);
          const changed_at = meta.position - 1;
          const changes = chunks.map((chunk) =>
            chunk.map((one): StateChange => ({ ...one, deadline_ms: one.value === null ? null : by, changed_at })),
          );
          const result = await stores[who].saveCheckpoint(here, { previous, meta, changes });
          equal(result, skew === 0 ? saved : refused, "saved");
          if (skew !== 0) continue;
          position = meta.position;
          for (const { value, ...rest } of changes.flat()) {
            if (value === null) states.delete(rest.key);
            else states.set(rest.key, { ...rest, value });
          }
          const rows = [...states.values()].toSorted((left, right) =>
            Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)),
          );
          equal(await load(stores[who === 0 ? 1 : 0], here), { meta, rows }, "loaded");
        }
      });
      await fc.assert(property, { numRuns: 50, endOnFailure: true });
      t.ok(runs <= 64, "every run had a partition of its own");
    },
  ],
];

/** Every adapter of the CheckpointStore port must pass this suite unchanged. */
export async function checkpointStoreContract(t: Test, harness: CheckpointStoreHarness): Promise<void> {
  for (const [title, body] of [...single, ...together]) {
    await t.test(`${harness.name}: ${title}`, async (t) => {
      const storage = await harness.open();
      const clients: { close(): Promise<void> }[] = [];
      const disconnect = async () => {
        for (const client of clients.splice(0)) await client.close();
      };
      const connect = async () => {
        const client = await storage.connect();
        clients.push(client);
        return client;
      };
      try {
        await body(t, { connect, disconnect });
      } finally {
        await disconnect();
        await storage.remove();
      }
    });
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}
