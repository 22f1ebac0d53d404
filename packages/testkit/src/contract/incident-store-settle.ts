import type { IncidentCase } from "./incident-store.ts";
import { idle, lease, newest, oneDelivery, send } from "./incident-store-deliveries.ts";
import { entry, keyOf, wish } from "./incident-store-samples.ts";

export const settleCases: readonly IncidentCase[] = [
  [
    "a settled attempt stores what was applied, ends the lease and adds its timeline row behind the others",
    async (t, place) => {
      const { store, recorder } = await oneDelivery(place);
      await recorder.commit({ timeline: [{ incident_id: "i", row: { ...entry("from C"), seq: 1 } }] });
      const row = await send(store, "r");
      const update = { ...idle(1), applied_seq: 9, attempts: 1, last_error: { code: "c", message: "m" } };
      t.ok(await store.settle(keyOf(row), "r", { ...update, timeline: entry("from the router") }));
      await recorder.commit({ timeline: [{ incident_id: "i", row: { ...entry("from C again"), seq: 2 } }] });
      t.strictSame(
        (await store.timeline("i", 0, 9)).map(({ seq, text }) => [seq, text]),
        [
          [1, "from C"],
          [2, "from the router"],
          [3, "from C again"],
        ],
      );
      t.equal((await store.incident("i"))?.timeline_seq, 3);
      t.match(await newest(store), {
        ...update,
        due_ms: null,
        sent_ms: null,
        sent_version: null,
        sent_seq: null,
        lease_token: null,
        lease_until_ms: null,
      });
    },
  ],
  [
    "fields that a settlement does not name stay, and null clears them",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const first = await send(store, "r");
      await store.settle(keyOf(first), "r", { ...idle(1), attempts: 2, last_error: { code: "c", message: "m" } });
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, urgent: true, at_ms: now })] });
      await send(store, "r");
      await store.settle(keyOf(first), "r", { delivery_state: "due" });
      t.match(await newest(store), {
        applied_version: 1,
        applied_seq: 1,
        remote_id: "INC1",
        remote_url: "http://vendor/INC1",
        attempts: 2,
        last_error: { code: "c", message: "m" },
        due_ms: now,
      });
      await send(store, "r");
      const cleared = { remote_id: null, remote_url: null, last_error: null };
      await store.settle(keyOf(first), "r", { delivery_state: "parked", ...cleared });
      t.match(await newest(store), cleared);
    },
  ],
  [
    "a settlement without the lease writes nothing, its timeline row and successor included",
    async (t, place) => {
      const { store } = await oneDelivery(place);
      const row = await send(store, "r");
      const before = await store.deliveriesOf(["i"]);
      const update = { ...idle(1), timeline: entry("never"), successor: true };
      t.notOk(await store.settle(keyOf(row), "somebody else", update));
      t.notOk(await store.settle({ ...keyOf(row), generation: 2 }, "r", update));
      t.strictSame(await store.deliveriesOf(["i"]), before);
      t.strictSame(await store.timeline("i", 0, 9), []);
      t.ok(await store.settle(keyOf(row), "r", idle(1)));
      t.notOk(await store.settle(keyOf(row), "r", idle(1)), "a lease ends with its settlement");
    },
  ],
  [
    "an answer that comes after the lease is over counts while no other router has taken the delivery",
    async (t, place) => {
      const { store } = await oneDelivery(place);
      const row = await send(store, "r");
      await place.advance(80_000);
      t.ok(await store.settle(keyOf(row), "r", idle(1)));
      t.match(await newest(store), { delivery_state: "idle", remote_id: "INC1" });
    },
  ],
  [
    "an unknown end keeps when and what was sent until a definite one, over later attempts and wishes",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const row = await send(store, "r");
      await store.settle(keyOf(row), "r", { delivery_state: "unknown", due_ms: now + 75_000 });
      const open = { delivery_state: "unknown", sent_ms: now, sent_version: 1, sent_seq: 1 };
      t.match(await newest(store), { ...open, due_ms: now + 75_000 });
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, urgent: true, at_ms: now + 1 })] });
      t.match(await newest(store), { ...open, due_ms: now + 75_000, desired_version: 2 });
      t.strictSame(await lease(store, "r"), []);
      await place.advance(75_000);
      t.equal((await lease(store, "r")).length, 1);
      await store.settle(keyOf(row), "r", { delivery_state: "unknown", due_ms: now + 80_000 });
      t.match(await newest(store), open, "a look-up that failed settles nothing");
      await place.advance(5_000);
      await lease(store, "r");
      await store.settle(keyOf(row), "r", idle(1));
      t.match(await newest(store), { delivery_state: "due", due_ms: now + 1, sent_ms: null, remote_id: "INC1" });
    },
  ],
  [
    "a delivery that was put aside with an unknown end comes back as unknown",
    async (t, place) => {
      const { store, now } = await oneDelivery(place);
      const row = await send(store, "r");
      await store.settle(keyOf(row), "r", { delivery_state: "unknown" });
      await lease(store, "r");
      await store.settle(keyOf(row), "r", { delivery_state: "dead" });
      t.equal(await store.requeue("snow"), 1);
      t.match(await newest(store), { delivery_state: "unknown", due_ms: now, sent_ms: now, sent_version: 1 });
    },
  ],
  [
    "a successor starts anew with the desired version, and its predecessor's ticket stays known",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const first = await send(store, "r");
      await store.settle(keyOf(first), "r", idle(1));
      await recorder.commit({ wishes: [wish("i", { desired_version: 5, urgent: true, at_ms: now, priority: "P2" })] });
      await send(store, "r");
      await recorder.commit({ wishes: [wish("i", { desired_version: 6, at_ms: now, priority: "P2" })] });
      await place.advance(3);
      const update = { delivery_state: "idle", successor: true, timeline: entry("closed for good") } as const;
      t.ok(await store.settle(keyOf(first), "r", update));
      const [old, young, ...others] = await store.deliveriesOf(["i"]);
      t.strictSame(others, []);
      t.match(old, { generation: 1, delivery_state: "idle", due_ms: null, remote_id: "INC1", applied_version: 1 });
      t.match(young, {
        generation: 2,
        delivery_state: "due",
        due_ms: now + 3,
        desired_version: 6,
        applied_version: 0,
        applied_seq: 0,
        remote_id: null,
        attempts: 0,
        priority: "P2",
        sent_ms: null,
      });
      await recorder.commit({ wishes: [wish("i", { desired_version: 7, urgent: true, at_ms: now + 4 })] });
      t.match(await store.deliveriesOf(["i"]), [
        { generation: 1, desired_version: 6, delivery_state: "idle" },
        { generation: 2, desired_version: 7, delivery_state: "due" },
      ]);
      const leased = await lease(store, "r");
      t.strictSame(
        leased.map((row) => row.generation),
        [2],
        "only the newest generation is alive",
      );
    },
  ],
  [
    "putting back leaves generations that have a successor alone",
    async (t, place) => {
      const { store } = await oneDelivery(place);
      const first = await send(store, "r");
      await store.settle(keyOf(first), "r", { delivery_state: "dead", successor: true });
      const second = await send(store, "r");
      await store.settle(keyOf(second), "r", { delivery_state: "parked" });
      t.equal(await store.requeue("snow"), 1);
      t.match(await store.deliveriesOf(["i"]), [
        { generation: 1, delivery_state: "dead" },
        { generation: 2, delivery_state: "due" },
      ]);
    },
  ],
  [
    "an attempt cannot end in flight, nor leave a predecessor alive",
    async (t, place) => {
      const { store } = await oneDelivery(place);
      const row = await send(store, "r");
      await t.rejects(store.settle(keyOf(row), "r", { delivery_state: "inflight" }));
      await t.rejects(store.settle(keyOf(row), "r", { delivery_state: "due", successor: true }));
      t.match(await newest(store), { generation: 1, delivery_state: "inflight", lease_token: "r" });
    },
  ],
];
