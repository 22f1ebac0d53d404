import type { DeadLetterNote } from "@winnow/contracts";
import type { IncidentCase } from "./incident-store.ts";
import { batch, entry, incidentRow, member, metaAt, Recorder, sampleMs, wish } from "./incident-store-samples.ts";

const committed = { committed: true } as const;
const fenced = { refused: "fenced" } as const;
const behind = { refused: "position" } as const;

export function deadLetter(id: string, receivedMs = sampleMs): DeadLetterNote {
  return {
    type: "dead_letter",
    id,
    received_ms: receivedMs,
    integration: "am",
    reason: { code: "undecodable", text: "no JSON" },
    raw_base64: "e30=",
    bytes: 2,
    sha256: "a".repeat(64),
  };
}

export const recorderCases: readonly IncidentCase[] = [
  [
    "a partition that never committed is claimed empty, and nobody acts without a claim",
    async (t, place) => {
      const store = await place.connect();
      t.strictSame(await store.load(0, "one", 0, ["i"]), fenced);
      t.strictSame(await store.commit(0, "one", 0, { meta: metaAt(1), batch: batch({}) }), fenced);
      t.notOk(await store.verify(0, "one", 0));
      t.strictSame(await store.claim(0, "one"), { meta: null, deadlines: [] });
      t.ok(await store.verify(0, "one", 0));
      t.notOk(await store.verify(1, "one", 0), "another partition is another owner's");
    },
  ],
  [
    "a second claim shuts the first recorder out of load, commit and verify at once",
    async (t, place) => {
      const [old, young] = [await place.connect(), await place.connect()];
      await old.claim(0, "old");
      await old.commit(0, "old", 0, { meta: metaAt(5), batch: batch({ incidents: [incidentRow("i")] }) });
      t.strictSame(await young.claim(0, "young"), { meta: metaAt(5), deadlines: [] });
      t.strictSame(await old.load(0, "old", 5, ["i"]), fenced);
      const zombie = batch({ incidents: [incidentRow("i", { title: "zombie" })], wishes: [wish("i")] });
      t.strictSame(await old.commit(0, "old", 5, { meta: metaAt(6), batch: zombie }), fenced);
      t.notOk(await old.verify(0, "old", 5));
      t.strictSame(await young.load(0, "young", 5, ["i", "j"]), { rows: [incidentRow("i")] });
      t.strictSame(await young.deliveriesOf(["i"]), [], "the zombie left no trace");
    },
  ],
  [
    "a position ahead or behind the stored one is refused by load, commit and verify",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(0, "one");
      await store.commit(0, "one", 0, { meta: metaAt(5), batch: batch({ incidents: [incidentRow("i")] }) });
      for (const position of [0, 4, 6]) {
        const late = batch({ timeline: [{ incident_id: "i", row: { ...entry("late"), seq: 1 } }] });
        t.strictSame(await store.load(0, "one", position, ["i"]), behind);
        t.strictSame(await store.commit(0, "one", position, { meta: metaAt(9), batch: late }), behind);
        t.notOk(await store.verify(0, "one", position));
      }
      t.strictSame(await store.timeline("i", 0, 10), []);
      t.ok(await store.verify(0, "one", 5));
    },
  ],
  [
    "a commit that fails in its middle leaves nothing",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(0, "one");
      await store.commit(0, "one", 0, { meta: metaAt(1), batch: batch({ incidents: [incidentRow("i")] }) });
      const broken = batch({
        incidents: [incidentRow("i", { title: "changed" }), incidentRow("j")],
        members: [{ incident_id: "i", member: member("f1") }],
        timeline: [{ incident_id: "i", row: { ...entry("one"), seq: 1 } }],
        wishes: [wish("i"), wish("of no incident")],
        dead_letters: [deadLetter("d1")],
      });
      await t.rejects(store.commit(0, "one", 1, { meta: metaAt(2), batch: broken }));
      t.strictSame(await store.load(0, "one", 1, ["i", "j"]), { rows: [incidentRow("i")] });
      t.strictSame((await store.members("i", { limit: 10 })).items, []);
      t.strictSame(await store.timeline("i", 0, 10), []);
      t.strictSame(await store.deliveriesOf(["i", "of no incident"]), []);
      t.equal(await store.deadLetter("d1"), null);
      t.strictSame((await store.recordMetas())[0], { partition: 0, meta: metaAt(1) });
    },
  ],
  [
    "members and timeline rows of an incident that is not stored are refused",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(0, "one");
      const lost = [
        batch({ members: [{ incident_id: "i", member: member("f1") }] }),
        batch({ timeline: [{ incident_id: "i", row: { ...entry("one"), seq: 1 } }] }),
      ];
      for (const part of lost) await t.rejects(store.commit(0, "one", 0, { meta: metaAt(1), batch: part }));
      t.ok(await store.verify(0, "one", 0));
    },
  ],
  [
    "commits that arrive together each get their own result",
    async (t, place) => {
      const store = await place.connect();
      const partitions = [0, 1, 2, 3, 4, 5, 6, 7];
      for (const partition of partitions) await store.claim(partition, `owner-${partition}`);
      const results = await Promise.allSettled(
        partitions.map((n) =>
          store.commit(n, n % 4 === 1 ? "somebody else" : `owner-${n}`, n % 4 === 2 ? 99 : 0, {
            meta: metaAt(n + 1),
            batch: batch({ incidents: [incidentRow(`i${n}`)], wishes: n % 4 === 3 ? [wish("of no incident")] : [] }),
          }),
        ),
      );
      for (const [n, result] of results.entries()) {
        const got = result.status === "fulfilled" ? result.value : "rejected";
        t.strictSame(got, [committed, fenced, behind, "rejected"][n % 4], `commit ${n}`);
        t.equal((await store.incident(`i${n}`)) !== null, n % 4 === 0);
      }
    },
  ],
  [
    "incidents, members and dead letters are replaced by what comes later, whole",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({
        incidents: [incidentRow("i")],
        members: [
          { incident_id: "i", member: member("f1") },
          { incident_id: "i", member: member("f1", { episode: { id: "e2", started_ms: 7 }, joined_ms: sampleMs + 1 }) },
        ],
      });
      const changed = {
        ...incidentRow("i", { version: 2, state: "resolved", resolved_ms: 9, title: "警报 🚨 'x' \"y\"" }),
        destinations: ["snow", "chat"],
        action_ids: ["a1", "a2"],
      };
      const resolved = member("f1", { status: "resolved", resolved_ms: 9 });
      await recorder.commit({ incidents: [changed], members: [{ incident_id: "i", member: resolved }] });
      t.strictSame(await store.incident("i"), changed);
      t.strictSame(await store.load(0, "recorder", 2, ["i"]), { rows: [changed] });
      const { items } = await store.members("i", { limit: 10 });
      t.strictSame(
        items.map((item) => [item.episode.id, item.status]),
        [
          ["e2", "firing"],
          ["e1", "resolved"],
        ],
        "an episode is a member of its own",
      );
      t.strictSame(items[1], resolved);
    },
  ],
  [
    "the store numbers a timeline without a gap, whatever the recorder guessed",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const rows = (...texts: string[]) => texts.map((text) => ({ incident_id: "i", row: { ...entry(text), seq: 7 } }));
      await recorder.commit({ incidents: [{ ...incidentRow("i"), timeline_seq: 2 }], timeline: rows("one", "two") });
      await recorder.commit({ incidents: [{ ...incidentRow("i"), timeline_seq: 0 }], timeline: rows("three") });
      const timeline = await store.timeline("i", 0, 10);
      t.strictSame(timeline, [
        { ...entry("one"), seq: 1 },
        { ...entry("two"), seq: 2 },
        { ...entry("three"), seq: 3 },
      ]);
      t.strictSame(await store.timeline("i", 1, 1), [{ ...entry("two"), seq: 2 }]);
      t.equal((await store.incident("i"))?.timeline_seq, 3);
    },
  ],
  [
    "what was committed is there after closing and opening again, and the owner still holds",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({ incidents: [incidentRow("i")], wishes: [wish("i")], dead_letters: [deadLetter("d")] });
      const deliveries = await store.deliveriesOf(["i"]);
      await store.close();
      await t.rejects(store.storeNow(), { code: "store_unavailable" }, "a closed store refuses instead of hanging");
      const again = await place.connect();
      t.ok(await again.verify(0, "recorder", 1));
      t.strictSame(await again.incident("i"), incidentRow("i"));
      t.strictSame(await again.deliveriesOf(["i"]), deliveries);
      t.strictSame(await again.claim(0, "two"), { meta: metaAt(1), deadlines: [] });
    },
  ],
  [
    "the last commits of all partitions can be read for the accounting",
    async (t, place) => {
      const store = await place.connect();
      await store.claim(2, "one");
      await store.commit(2, "one", 0, { meta: metaAt(4), batch: batch({}) });
      const metas = await store.recordMetas();
      t.equal(metas.length, 64);
      t.strictSame(metas[2], { partition: 2, meta: metaAt(4) });
      t.strictSame(metas[3], { partition: 3, meta: null });
    },
  ],
  [
    "a dead letter waits, is retried or discarded, and waits again when it comes back",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({ dead_letters: [deadLetter("d1"), deadLetter("d2")] });
      t.strictSame(await store.deadLetter("d1"), { ...deadLetter("d1"), attempts: 0, state: "waiting" });
      await recorder.commit({
        dead_letters: [
          { id: "d1", state: "retried" },
          { id: "d2", state: "discarded" },
          { id: "unknown", state: "discarded" },
        ],
      });
      t.strictSame(await store.deadLetter("d1"), { ...deadLetter("d1"), attempts: 1, state: "retried" });
      t.strictSame(await store.deadLetter("d2"), { ...deadLetter("d2"), attempts: 0, state: "discarded" });
      await recorder.commit({
        dead_letters: [
          { id: "d1", state: "retried" },
          { ...deadLetter("d1"), bytes: 3 },
        ],
      });
      t.strictSame(await store.deadLetter("d1"), { ...deadLetter("d1"), bytes: 3, attempts: 2, state: "waiting" });
      t.equal(await store.deadLetter("unknown"), null);
    },
  ],
  [
    "a dead letter and what people decide about it take effect in order, also in one commit",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({
        dead_letters: [
          { id: "d1", state: "retried" },
          deadLetter("d1"),
          { id: "d1", state: "retried" },
          deadLetter("d1"),
          { id: "d1", state: "discarded" },
          deadLetter("d2"),
          { id: "d2", state: "retried" },
          deadLetter("d2"),
        ],
      });
      t.strictSame(await store.deadLetter("d1"), { ...deadLetter("d1"), attempts: 1, state: "discarded" });
      t.strictSame(await store.deadLetter("d2"), { ...deadLetter("d2"), attempts: 1, state: "waiting" });
    },
  ],
];
