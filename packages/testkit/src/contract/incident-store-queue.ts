import type { IncidentCase } from "./incident-store.ts";
import { idle, killMs, lease, leaseMs, newest, oneDelivery, send } from "./incident-store-deliveries.ts";
import { incidentRow, keyOf, Recorder, wish } from "./incident-store-samples.ts";

const wishing: readonly IncidentCase[] = [
  [
    "the first wish makes generation 1, due when it was wished, whether urgent or not",
    async (t, place) => {
      const { store, now } = await oneDelivery(place, { desired_version: 4, priority: "P2" });
      t.strictSame(await newest(store), {
        incident_id: "i",
        destination: "snow",
        generation: 1,
        delivery_state: "due",
        desired_version: 4,
        applied_version: 0,
        applied_seq: 0,
        remote_id: null,
        remote_url: null,
        attempts: 0,
        due_ms: now,
        sent_ms: null,
        sent_version: null,
        sent_seq: null,
        priority: "P2",
        lease_token: null,
        lease_until_ms: null,
        last_error: null,
      });
    },
  ],
  [
    "a wish for an idle delivery waits for others unless it is urgent, and none that is fulfilled wakes it",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const row = await send(store, "r");
      await store.settle(keyOf(row), "r", idle(1));
      await recorder.commit({ wishes: [wish("i", { desired_version: 1, at_ms: now })] });
      t.match(await newest(store), { delivery_state: "idle", due_ms: null });
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, priority: "P3", at_ms: now })] });
      t.match(await newest(store), { delivery_state: "due", due_ms: now + 15_000, desired_version: 2, priority: "P3" });
      await recorder.commit({ wishes: [wish("i", { desired_version: 3, at_ms: now + 9_000 })] });
      t.match(await newest(store), { due_ms: now + 15_000, desired_version: 3 }, "the first one sets the time");
      await recorder.commit({ wishes: [wish("i", { desired_version: 4, urgent: true, at_ms: now + 10_000 })] });
      t.match(await newest(store), { due_ms: now + 10_000, desired_version: 4 });
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, at_ms: now })] });
      t.equal((await newest(store)).desired_version, 4, "it never falls");
    },
  ],
  [
    "an urgent wish never comes before the time an attempt was put off to",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const row = await send(store, "r");
      await store.settle(keyOf(row), "r", { delivery_state: "due", due_ms: now + 40_000, attempts: 1 });
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, urgent: true, at_ms: now })] });
      t.match(await newest(store), { delivery_state: "due", due_ms: now + 40_000, desired_version: 2, attempts: 1 });
    },
  ],
  ...[true, false].map(
    (urgent): IncidentCase => [
      `${urgent ? "an urgent" : "a"} wish during an attempt leaves it alone; afterwards the delivery is due by itself`,
      async (t, place) => {
        const { store, recorder, now } = await oneDelivery(place);
        const row = await send(store, "r");
        await recorder.commit({ wishes: [wish("i", { desired_version: 2, urgent, at_ms: now + 1, priority: "P2" })] });
        t.match(await newest(store), { delivery_state: "inflight", desired_version: 2, sent_version: 1 });
        await store.settle(keyOf(row), "r", idle(1));
        const after = { delivery_state: "due", due_ms: urgent ? now + 1 : now + 15_001, applied_version: 1 };
        t.match(await newest(store), { ...after, priority: "P2", sent_ms: null });
      },
    ],
  ),
  [
    "a wish between lease and sending is carried out by a second attempt, after the usual wait",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      const [row] = await lease(store, "r");
      await recorder.commit({ wishes: [wish("i", { desired_version: 2, at_ms: now })] });
      if (row === undefined) throw new Error("nothing was leased");
      t.equal(await store.markInflight(keyOf(row), "r", { version: 1, seq: 1 }), now);
      await store.settle(keyOf(row), "r", idle(1));
      t.match(await newest(store), { delivery_state: "due", due_ms: now + 15_000, desired_version: 2 });
    },
  ],
  ...(["parked", "dead"] as const).map(
    (state): IncidentCase => [
      `a ${state} delivery takes note of wishes and waits until it is put back`,
      async (t, place) => {
        const { store, recorder, now } = await oneDelivery(place);
        const row = await send(store, "r");
        const error = { code: "refused", message: "bad field" };
        await store.settle(keyOf(row), "r", { delivery_state: state, attempts: 3, last_error: error });
        await recorder.commit({ wishes: [wish("i", { desired_version: 2, urgent: true, at_ms: now })] });
        t.match(await newest(store), { delivery_state: state, due_ms: null, desired_version: 2 });
        t.equal(await store.nextDue("snow"), null);
        t.equal(await store.requeue("elsewhere"), 0);
        await place.advance(5);
        t.equal(await store.requeue("snow"), 1);
        t.match(await newest(store), { delivery_state: "due", due_ms: now + 5, attempts: 0, last_error: error });
        t.equal(await store.requeue("snow"), 0);
      },
    ],
  ),
];

const leasing: readonly IncidentCase[] = [
  [
    "deliveries are leased P1 first, then oldest due, up to the limit and none before its time",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const now = await store.storeNow();
      const wishes = [
        wish("late P1", { at_ms: now }),
        wish("P5", { priority: "P5", at_ms: now - 9_000 }),
        wish("early P1", { at_ms: now - 10 }),
        wish("P2", { priority: "P2", at_ms: now - 5_000 }),
        wish("tomorrow", { at_ms: now + 1 }),
        wish("elsewhere", { destination: "chat", at_ms: now - 1 }),
      ];
      await recorder.commit({ incidents: wishes.map((one) => incidentRow(one.incident_id)), wishes });
      t.equal(await store.nextDue("snow"), now - 9_000);
      const first = await lease(store, "r", 3);
      t.strictSame(
        first.map((row) => row.incident_id),
        ["early P1", "late P1", "P2"],
      );
      t.match(first[0], { delivery_state: "due", lease_token: "r", lease_until_ms: now + leaseMs });
      const second = await lease(store, "r", 3);
      t.strictSame(
        second.map((row) => row.incident_id),
        ["P5"],
      );
      t.equal(await store.nextDue("snow"), now + 1);
      await place.advance(1);
      t.strictSame(
        (await lease(store, "r", 3)).map((row) => row.incident_id),
        ["tomorrow"],
      );
      t.equal(await store.nextDue("snow"), now + leaseMs, "then the first lease that ends");
      t.equal(await store.nextDue("nowhere"), null);
    },
  ],
  [
    "two routers that lease at once never get the same delivery",
    async (t, place) => {
      const routers = [await place.connect(), await place.connect()] as const;
      const recorder = await new Recorder(routers[0]).claim();
      const now = await routers[0].storeNow();
      const ids = Array.from({ length: 60 }, (_, n) => `i${n}`);
      await recorder.commit({
        incidents: ids.map((id) => incidentRow(id)),
        wishes: ids.map((id) => wish(id, { at_ms: now })),
      });
      const leases = await Promise.all(
        Array.from({ length: 20 }, (_, n) => lease(routers[n % 2 === 0 ? 0 : 1], `router-${n}`, 4)),
      );
      const got = leases.flat().map((row) => row.incident_id);
      t.equal(got.length, 60, "all were given out");
      t.equal(new Set(got).size, 60, "each once");
    },
  ],
  [
    "a lease that is over before anything was sent goes to the next router, and the first may send nothing",
    async (t, place) => {
      const { store, now } = await oneDelivery(place);
      const [row] = await lease(store, "slow");
      if (row === undefined) throw new Error("nothing was leased");
      await place.advance(leaseMs - 1);
      t.strictSame(await lease(store, "quick"), []);
      await place.advance(1);
      t.equal(await store.markInflight(keyOf(row), "slow", { version: 1, seq: 1 }), null, "over, though not yet taken");
      t.equal(await store.nextDue("snow"), now);
      const [taken] = await lease(store, "quick");
      t.match(taken, { delivery_state: "due", lease_token: "quick" });
      t.equal(await store.markInflight(keyOf(row), "slow", { version: 1, seq: 1 }), null);
      t.equal(await store.markInflight(keyOf(row), "quick", { version: 1, seq: 1 }), now + leaseMs);
    },
  ],
  [
    "what is in flight comes back as unknown only after its lease and the vendor's kill time, and tells when it was sent",
    async (t, place) => {
      const { store, now } = await oneDelivery(place, { desired_version: 3 });
      await send(store, "dead");
      t.match(await newest(store), { delivery_state: "inflight", sent_ms: now, sent_version: 3, sent_seq: 1 });
      t.equal(await store.nextDue("snow"), null);
      await place.advance(leaseMs + killMs - 1);
      t.strictSame(await lease(store, "heir"), []);
      await place.advance(1);
      const [row] = await lease(store, "heir");
      t.match(row, { delivery_state: "unknown", lease_token: "heir", sent_ms: now, sent_version: 3, sent_seq: 1 });
      t.notOk(await store.settle(keyOf(await newest(store)), "dead", idle(3)), "the old router's answer is too late");
      t.match(await newest(store), { delivery_state: "unknown", applied_version: 0, remote_id: null });
    },
  ],
  [
    "sending is written once per lease, and never for a delivery that nobody leased",
    async (t, place) => {
      const { store, now } = await oneDelivery(place);
      const key = keyOf(await newest(store));
      t.equal(await store.markInflight(key, "r", { version: 1, seq: 1 }), null);
      const [row] = await lease(store, "r");
      t.ok(row);
      t.equal(await store.markInflight({ ...key, generation: 2 }, "r", { version: 1, seq: 1 }), null);
      t.equal(await store.markInflight(key, "r", { version: 1, seq: 1 }), now);
      t.equal(await store.markInflight(key, "r", { version: 1, seq: 1 }), null);
    },
  ],
  [
    "after a restart what was in flight is unknown and due at once, and no old lease is in the way",
    async (t, place) => {
      const { store, recorder, now } = await oneDelivery(place);
      await send(store, "dead");
      await recorder.commit({ incidents: [incidentRow("j")], wishes: [wish("j", { at_ms: now })] });
      t.equal((await lease(store, "dead")).length, 1);
      await store.close();
      await place.advance(7);
      const again = await place.connect();
      t.equal(await again.recoverInflight(), 1);
      t.equal(await again.recoverInflight(), 0);
      t.match(await newest(again), { delivery_state: "unknown", due_ms: now + 7, sent_ms: now, lease_token: null });
      t.equal(await again.nextDue("snow"), now);
      t.equal((await lease(again, "heir")).length, 2);
    },
  ],
];

export const queueCases: readonly IncidentCase[] = [...wishing, ...leasing];
