import { isDeepStrictEqual } from "node:util";
import type { StagePartition, StateChange, StateRow, WindowStore } from "@winnow/ports";
import fc from "fast-check";
import type { Test } from "tap";
import type { WindowCase, WindowPlace } from "./window-store.ts";
import { contractPartitions, metaAt, put } from "./window-store-samples.ts";

/** What one of two owners does next. `skew` is how far its idea of the position is off. */
type Step =
  | { readonly do: "claim"; readonly who: 0 | 1 }
  | { readonly do: "load" | "verify"; readonly who: 0 | 1; readonly skew: number }
  | { readonly do: "commit"; readonly who: 0 | 1; readonly skew: number; readonly changes: readonly StateChange[] };

const keys = ["a", "b", "c", "d"];
const who = fc.constantFrom<0 | 1>(0, 1);
const skew = fc.constantFrom(0, 0, 0, -1, 1);
const change: fc.Arbitrary<StateChange> = fc
  .record({
    key: fc.constantFrom(...keys),
    value: fc.option(fc.string({ unit: "grapheme", maxLength: 8 })),
    deadline_ms: fc.option(fc.nat(1000)),
    changed_at: fc.nat(1000),
  })
  .map((row) => (row.value === null ? { ...row, deadline_ms: null } : { ...row, value: JSON.stringify(row.value) }));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("claim" as const), who }),
  fc.record({ do: fc.constantFrom("load" as const, "verify" as const), who, skew }),
  fc.record({ do: fc.constant("commit" as const), who, skew, changes: fc.array(change, { maxLength: 5 }) }),
  fc.record({ do: fc.constant("commit" as const), who, skew, changes: fc.array(change, { maxLength: 5 }) }),
);

/** What a stage partition should hold. */
class Model {
  owner: number | null = null;
  position = 0;
  readonly rows = new Map<string, StateRow>();

  refusal(who: number, position: number): { refused: "fenced" | "position" } | null {
    if (this.owner !== who) return { refused: "fenced" };
    return position === this.position ? null : { refused: "position" };
  }

  apply(changes: readonly StateChange[]): void {
    for (const { value, ...rest } of changes) {
      if (value === null) this.rows.delete(rest.key);
      else this.rows.set(rest.key, { ...rest, value });
    }
    this.position += 1;
  }

  all(): StateRow[] {
    return [...this.rows.values()].toSorted((left, right) => (left.key < right.key ? -1 : 1));
  }
}

export const windowStoreModelTests: readonly WindowCase[] = [
  [
    "two owners in any interleaving get what one table with a fence would give",
    async (t: Test, place: WindowPlace) => {
      const clients = [await place.connect(), await place.connect()] as const;
      let next = 0;
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        // Each run has a stage partition to itself; more runs than there are would meet leftovers.
        const at: StagePartition = { stage: next % 2 === 0 ? "A" : "B", partition: Math.floor(next / 2) };
        next += 1;
        await play(clients, at, steps);
      });
      // 50 runs leave room for those that shrink a failure.
      await fc.assert(property, { numRuns: 50, endOnFailure: true });
      t.ok(next <= contractPartitions * 2, "every run had a partition of its own");
    },
  ],
  [
    "a commit under way is seen by readers as a whole or not at all",
    async (t: Test, place: WindowPlace) => {
      const [store, reader] = [await place.connect(), await place.connect()];
      const at: StagePartition = { stage: "A", partition: 0 };
      const all = Array.from({ length: 200 }, (_, n) => `k${n}`);
      await store.claim(at, "one");
      for (let position = 0; position < 20; position += 1) {
        const commit = store.commit(at, "one", position, {
          meta: metaAt(position + 1),
          changes: all.map((key) => put(key, `${position}`)),
        });
        const rows = await reader.peek(at, all);
        t.ok(new Set(rows.map((row) => row.value)).size <= 1, `one version at position ${position}`);
        await commit;
      }
      t.strictSame(new Set((await reader.peek(at, all)).map((row) => row.value)), new Set(["19"]));
    },
  ],
];

async function play(clients: readonly [WindowStore, WindowStore], at: StagePartition, steps: readonly Step[]) {
  const model = new Model();
  for (const step of steps) {
    const store = clients[step.who];
    const token = `owner-${step.who}`;
    const position = step.do === "claim" ? model.position : model.position + step.skew;
    const refusal = model.refusal(step.who, position);
    switch (step.do) {
      case "claim": {
        const claim = await store.claim(at, token);
        equal(claim.meta, model.position === 0 ? null : metaAt(model.position));
        equal(
          claim.deadlines.toSorted((left, right) => (left.key < right.key ? -1 : 1)),
          model.all().flatMap(({ key, deadline_ms }) => (deadline_ms === null ? [] : [{ key, deadline_ms }])),
        );
        model.owner = step.who;
        break;
      }
      case "load": {
        const loaded = await store.load(at, token, position, keys);
        if ("refused" in loaded) equal(loaded, refusal);
        else equal(sorted(loaded.rows), refusal ?? model.all());
        break;
      }
      case "verify":
        equal(await store.verify(at, token, position), refusal === null);
        break;
      case "commit": {
        const commit = { meta: metaAt(model.position + 1), changes: step.changes };
        equal(await store.commit(at, token, position, commit), refusal ?? { committed: true });
        if (refusal === null) model.apply(step.changes);
        break;
      }
    }
  }
  equal(sorted(await clients[0].peek(at, keys)), model.all());
}

function sorted(rows: readonly StateRow[]): StateRow[] {
  return rows.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

/** Deep equality that throws, as a property wants it, whatever the order of an object's keys. */
function equal(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}
