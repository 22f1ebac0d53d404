import type { IncidentCase } from "./incident-store.ts";
import { entry, incidentRow, keyOf, member, Recorder, sampleMs, wish } from "./incident-store-samples.ts";

const resolvedAt = (ms: number) => ({ state: "resolved", opened_ms: sampleMs - 10, resolved_ms: ms }) as const;

export const pruneCases: readonly IncidentCase[] = [
  [
    "pruning removes what was resolved before the cut with all that belongs to it, and nothing else",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({
        incidents: [
          incidentRow("old", resolvedAt(sampleMs)),
          incidentRow("young", resolvedAt(sampleMs + 500)),
          incidentRow("open", { opened_ms: sampleMs - 10 }),
        ],
        members: [
          { incident_id: "old", member: member("f1") },
          { incident_id: "young", member: member("f2") },
        ],
        timeline: [{ incident_id: "old", row: { ...entry("a"), seq: 1 } }],
      });
      t.equal(await store.prune(sampleMs + 100, 10), 1);
      t.equal(await store.incident("old"), null);
      t.strictSame((await store.members("old", { limit: 10 })).items, []);
      t.strictSame(await store.timeline("old", 0, 10), []);
      t.not(await store.incident("young"), null);
      t.equal((await store.members("young", { limit: 10 })).items.length, 1);
      t.not(await store.incident("open"), null);
      t.equal(await store.prune(sampleMs + 100, 10), 0);
    },
  ],
  [
    "an incident whose delivery is not settled stays, and steps are as small as asked for",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const ids = ["a", "b", "c"];
      await recorder.commit({
        incidents: ids.map((id) => incidentRow(id, resolvedAt(sampleMs))),
        wishes: [wish("a", { urgent: true, at_ms: 0 })],
      });
      t.equal(await store.prune(sampleMs + 1, 1), 1);
      t.equal(await store.prune(sampleMs + 1, 10), 1);
      t.not(await store.incident("a"), null, "its ticket is still due");
      const [row] = await store.lease("snow", { token: "t", leaseMs: 1_000, killMs: 0, limit: 1 });
      if (row === undefined) throw new Error("the delivery is due");
      await store.markInflight(keyOf(row), "t", { version: 1, seq: 0 });
      await store.settle(keyOf(row), "t", { delivery_state: "idle", applied_version: 1 });
      t.equal(await store.prune(sampleMs + 1, 10), 1);
      t.strictSame(await store.deliveriesOf(["a"]), []);
    },
  ],
];
