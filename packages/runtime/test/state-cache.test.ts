import t from "tap";
import { StateCache } from "../src/state-cache.ts";

await t.test("what was not loaded is missing, what the store does not have is absent", async (t) => {
  const cache = new StateCache([], 10);
  t.throws(() => cache.read("a"), { message: "state a is not loaded" });
  cache.loaded(["a", "b"], [{ key: "a", value: '{"n":1}', deadline_ms: 5, changed_at: 3 }]);
  t.same(cache.read("a"), { n: 1 });
  t.equal(cache.read("b"), undefined);
});

await t.test(
  "changes are what decisions wrote since the last commit, each with the position that wrote it",
  async (t) => {
    const cache = new StateCache([{ key: "b", deadline_ms: 9 }], 10);
    cache.loaded(["b"], []);
    cache.apply(new Map([["a", { value: { n: 1 }, deadline: 7 }]]), 4);
    cache.apply(
      new Map([
        ["a", { value: { n: 2 }, deadline: null }],
        ["b", { value: null, deadline: null }],
      ]),
      5,
    );
    t.same(cache.changes(), [
      { key: "a", value: '{"n":2}', deadline_ms: null, changed_at: 5 },
      { key: "b", value: null, deadline_ms: null, changed_at: 5 },
    ]);
    t.equal(cache.deadlines.next(), null, "deadlines follow the states");
    cache.committed();
    t.same(cache.changes(), []);
  },
);

await t.test("a load never overwrites a change that is not committed", async (t) => {
  const cache = new StateCache([], 10);
  cache.apply(new Map([["a", { value: 2, deadline: null }]]), 1);
  cache.loaded(["a"], [{ key: "a", value: "1", deadline_ms: null, changed_at: 0 }]);
  t.equal(cache.read("a"), 2);
});

await t.test("states leave the memory only after their commit, oldest first", async (t) => {
  const cache = new StateCache([], 1);
  cache.apply(
    new Map([
      ["a", { value: 1, deadline: null }],
      ["b", { value: 2, deadline: null }],
    ]),
    1,
  );
  t.equal(cache.read("a"), 1);
  cache.committed();
  t.throws(() => cache.read("a"), { message: "state a is not loaded" });
  t.equal(cache.read("b"), 2);
});

await t.test("states that decisions hardly read leave the memory with their commit", async (t) => {
  const cache = new StateCache([], 10, (key) => key !== "a");
  const write = { value: 1, deadline: null };
  cache.apply(
    new Map([
      ["a", write],
      ["b", write],
    ]),
    1,
  );
  cache.committed();
  t.equal(cache.has("a"), false);
  t.equal(cache.read("b"), 1);
});
