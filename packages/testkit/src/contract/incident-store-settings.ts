import type { IncidentCase } from "./incident-store.ts";

const set = (digest: string) => ({ digest, text: `{"of":"${digest}"}`, stored_ms: 5 });

export const settingsCases: readonly IncidentCase[] = [
  [
    "rule sets are kept by digest, the first text stays",
    async (t, place) => {
      const store = await place.connect();
      t.equal(await store.ruleSet("a"), null);
      await store.putRuleSet(set("a"));
      await store.putRuleSet({ ...set("a"), text: "{}", stored_ms: 9 });
      t.strictSame(await store.ruleSet("a"), set("a"));
    },
  ],
  [
    "the generation rises with each change of the activated rule set, a rollback included, and never otherwise",
    async (t, place) => {
      const [store, other] = [await place.connect(), await place.connect()];
      t.equal(await store.activation(), null);
      await t.rejects(store.activate("a"), { code: "rule_set_missing" });
      await store.putRuleSet(set("a"));
      await store.putRuleSet(set("b"));
      t.strictSame(await store.activate("a"), { generation: 1, digest: "a" });
      t.strictSame(await other.activate("a"), { generation: 1, digest: "a" });
      t.strictSame(await other.activate("b"), { generation: 2, digest: "b" });
      t.strictSame(await store.activate("a"), { generation: 3, digest: "a" });
      await t.rejects(store.activate("c"), { code: "rule_set_missing" });
      t.strictSame(await other.activation(), { generation: 3, digest: "a" });
    },
  ],
  [
    "activations that arrive together never share a generation",
    async (t, place) => {
      const [one, other] = [await place.connect(), await place.connect()];
      const digests = ["a", "b", "c", "d"];
      for (const digest of digests) await one.putRuleSet(set(digest));
      const activated = await Promise.all(digests.map((digest, n) => (n % 2 === 0 ? one : other).activate(digest)));
      t.strictSame(new Set(activated.map((activation) => activation.generation)), new Set([1, 2, 3, 4]));
    },
  ],
  [
    "facts are single texts, and the restore epoch is one of them",
    async (t, place) => {
      const store = await place.connect();
      t.equal(await store.fact("receiver_id"), null);
      t.equal(await store.epoch(), null);
      await store.setFact("receiver_id", "r1");
      await store.setFact("receiver_id", "r2 'ü'");
      await store.setFact("restore_epoch", "1700000000123");
      t.equal(await store.fact("receiver_id"), "r2 'ü'");
      t.equal(await store.epoch(), 1_700_000_000_123);
    },
  ],
  [
    "the first to keep a fact decides it for all, and facts are found by how their names begin",
    async (t, place) => {
      const [one, other] = [await place.connect(), await place.connect()];
      const kept = await Promise.all([one.keepFact("deployment_id", "a"), other.keepFact("deployment_id", "b")]);
      t.equal(kept[0], kept[1]);
      t.equal(await one.keepFact("deployment_id", "c"), kept[0]);
      await one.setFact("report.r_1", "1");
      await one.setFact("report.r%2", "2");
      await one.setFact("reports", "3");
      t.strictSame(await other.factsUnder("report."), { "report.r%2": "2", "report.r_1": "1" });
      t.strictSame(await other.factsUnder("none."), {});
    },
  ],
  [
    "tokens are listed oldest first and revoked once",
    async (t, place) => {
      const store = await place.connect();
      const token = (id: string, created_ms: number) => ({
        id,
        name: `name of ${id}`,
        scopes: ["read", "act"],
        hash: "h".repeat(64),
        created_ms,
        revoked_ms: null,
      });
      await store.putToken(token("young", 20));
      await store.putToken(token("old", 10));
      t.strictSame(await store.tokens(), [token("old", 10), token("young", 20)]);
      t.ok(await store.revokeToken("old", 30));
      t.notOk(await store.revokeToken("old", 40));
      t.notOk(await store.revokeToken("unknown", 40));
      t.strictSame(await store.tokens(), [{ ...token("old", 10), revoked_ms: 30 }, token("young", 20)]);
    },
  ],
];
