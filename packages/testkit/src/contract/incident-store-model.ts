import { isDeepStrictEqual } from "node:util";
import type { DeliveryRow, IncidentStore } from "@winnow/ports";
import fc from "fast-check";
import type { IncidentCase, IncidentPlace } from "./incident-store.ts";
import { batch, incidentRow, keyOf, metaAt, Recorder, wish } from "./incident-store-samples.ts";

const leaseMs = 100;
const killMs = 50;

/** What happens next around one delivery: two routers, stage C and the clock. */
type Step =
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "wish"; readonly urgent: boolean }
  | { readonly do: "lease" | "send"; readonly who: 0 | 1 }
  | { readonly do: "settle"; readonly who: 0 | 1; readonly as: "idle" | "due" | "unknown" | "parked" | "successor" }
  | { readonly do: "requeue" };

const who = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 49, 50, 100, 150) }),
  fc.record({ do: fc.constant("wish" as const), urgent: fc.boolean() }),
  fc.record({ do: fc.constantFrom("lease" as const, "send" as const), who }),
  fc.record({ do: fc.constantFrom("lease" as const, "send" as const), who }),
  fc.record({
    do: fc.constant("settle" as const),
    who,
    as: fc.constantFrom("idle" as const, "due" as const, "unknown" as const, "parked" as const, "successor" as const),
  }),
  fc.record({ do: fc.constant("requeue" as const) }),
);

/** The delivery as its history demands it, written down independently of any store. */
class Expected {
  generation = 1;
  state: DeliveryRow["delivery_state"] = "due";
  desired = 1;
  applied = 0;
  holder: number | null = null;
  until = 0;
  sentAt: number | null = null;
  sentVersion = 0;

  canLease(now: number, dueMs: number | null): boolean {
    if (this.state === "inflight") return this.until + killMs <= now && (dueMs === null || dueMs <= now);
    if (this.state !== "due" && this.state !== "unknown") return false;
    return dueMs !== null && dueMs <= now && (this.holder === null || this.until <= now);
  }
}

/** One run: its incident is its own, its destination too. */
class Run {
  readonly #stores: readonly [IncidentStore, IncidentStore];
  readonly #place: IncidentPlace;
  readonly #recorder: Recorder;
  readonly #id: string;
  readonly #model = new Expected();
  #now = 0;

  constructor(
    stores: readonly [IncidentStore, IncidentStore],
    place: IncidentPlace,
    setup: { recorder: Recorder; id: string },
  ) {
    this.#stores = stores;
    this.#place = place;
    this.#recorder = setup.recorder;
    this.#id = setup.id;
  }

  async play(steps: readonly Step[]): Promise<void> {
    this.#now = await this.#stores[0].storeNow();
    await this.#recorder.commit({ incidents: [incidentRow(this.#id)], wishes: [this.#wish(1, true)] });
    for (const step of steps) {
      await this.#step(step);
      await this.#compare(JSON.stringify(step));
    }
  }

  #wish(version: number, urgent: boolean) {
    return wish(this.#id, { destination: this.#id, desired_version: version, urgent, at_ms: this.#now });
  }

  async #newest(): Promise<DeliveryRow> {
    const row = (await this.#stores[0].deliveriesOf([this.#id])).at(-1);
    if (row === undefined) throw new Error("the delivery is gone");
    return row;
  }

  async #step(step: Step): Promise<void> {
    const model = this.#model;
    switch (step.do) {
      case "advance":
        await this.#place.advance(step.ms);
        this.#now += step.ms;
        return;
      case "wish":
        model.desired += 1;
        await this.#recorder.commit({ wishes: [this.#wish(model.desired, step.urgent)] });
        if (model.state === "idle") model.state = "due";
        return;
      case "lease":
        return this.#lease(step.who);
      case "send":
        return this.#send(step.who);
      case "settle":
        return this.#settle(step.who, step.as);
      case "requeue": {
        const waits = model.state === "parked";
        equal(await this.#stores[0].requeue(this.#id), waits ? 1 : 0, "requeue");
        if (waits) model.state = model.sentAt === null ? "due" : "unknown";
        return;
      }
    }
  }

  async #lease(who: 0 | 1): Promise<void> {
    const model = this.#model;
    const { due_ms } = await this.#newest();
    const expected = model.canLease(this.#now, due_ms);
    const rows = await this.#stores[who].lease(this.#id, { token: `router-${who}`, leaseMs, killMs, limit: 5 });
    equal(rows.length, expected ? 1 : 0, "leased");
    if (!expected) return;
    if (model.state === "inflight") model.state = "unknown";
    model.holder = who;
    model.until = this.#now + leaseMs;
  }

  async #send(who: 0 | 1): Promise<void> {
    const model = this.#model;
    const key = keyOf(await this.#newest());
    const sent = { version: model.desired, seq: 1 };
    const may = model.holder === who && this.#now < model.until && (model.state === "due" || model.state === "unknown");
    equal(await this.#stores[who].markInflight(key, `router-${who}`, sent), may ? this.#now : null, "sent");
    if (!may) return;
    model.state = "inflight";
    model.sentAt = this.#now;
    model.sentVersion = sent.version;
  }

  async #settle(who: 0 | 1, as: Extract<Step, { do: "settle" }>["as"]): Promise<void> {
    const model = this.#model;
    const key = keyOf(await this.#newest());
    const state = as === "successor" ? "idle" : as;
    const settled = await this.#stores[who].settle(key, `router-${who}`, {
      delivery_state: state,
      ...(as === "idle" ? { applied_version: model.sentVersion } : {}),
      ...(as === "successor" ? { successor: true } : {}),
    });
    equal(settled, model.holder === who, "settled");
    if (!settled) return;
    if (as === "idle") model.applied = model.sentVersion;
    const keepsSent = as === "unknown" || (as === "parked" && model.state === "unknown");
    if (!keepsSent) model.sentAt = null;
    model.holder = null;
    model.state = state === "idle" && model.applied < model.desired ? "due" : state;
    if (as !== "successor") return;
    model.generation += 1;
    model.applied = 0;
    model.state = "due";
  }

  async #compare(step: string): Promise<void> {
    const model = this.#model;
    const row = await this.#newest();
    equal(
      [row.generation, row.delivery_state, row.desired_version, row.applied_version, row.sent_ms],
      [model.generation, model.state, model.desired, model.applied, model.sentAt],
      `after ${step}`,
    );
    equal(row.lease_token, model.holder === null ? null : `router-${model.holder}`, `lease after ${step}`);
  }
}

export const incidentModelCases: readonly IncidentCase[] = [
  [
    "two routers, stage C and the clock in any interleaving keep to the delivery's rules",
    async (t, place) => {
      const stores = [await place.connect(), await place.connect()] as const;
      const recorder = await new Recorder(stores[0]).claim();
      let runs = 0;
      const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        runs += 1;
        await new Run(stores, place, { recorder, id: `run-${runs}` }).play(steps);
      });
      await fc.assert(property, { numRuns: 60 });
      t.ok(runs >= 60);
    },
  ],
  [
    "two recorders in any interleaving get what one position with a fence would give",
    async (t, place) => {
      const stores = [await place.connect(), await place.connect()] as const;
      const move = fc.record({
        do: fc.constantFrom("claim" as const, "commit" as const, "load" as const, "verify" as const),
        who,
        skew: fc.constantFrom(0, 0, 0, -1, 1),
      });
      let next = 0;
      const property = fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 20 }), async (moves) => {
        const partition = next;
        next += 1;
        let owner: number | null = null;
        let position = 0;
        for (const { do: what, who, skew } of moves) {
          const at = position + skew;
          const refused = owner === who ? (skew === 0 ? null : "position") : "fenced";
          const store = stores[who];
          const token = `owner-${who}`;
          const id = `p${partition}-${position + 1}`;
          switch (what) {
            case "claim":
              equal((await store.claim(partition, token)).meta, position === 0 ? null : metaAt(position), "claim");
              owner = who;
              break;
            case "commit": {
              const commit = { meta: metaAt(position + 1), batch: batch({ incidents: [incidentRow(id)] }) };
              const result = await store.commit(partition, token, at, commit);
              equal(result, refused === null ? { committed: true } : { refused }, "commit");
              if (refused === null) position += 1;
              equal((await store.incident(id)) !== null, refused === null, "incident");
              break;
            }
            case "load": {
              const rows = position === 0 ? [] : [incidentRow(`p${partition}-${position}`)];
              const loaded = await store.load(
                partition,
                token,
                at,
                rows.map((row) => row.snapshot.incident_id),
              );
              equal(loaded, refused === null ? { rows } : { refused }, "load");
              break;
            }
            case "verify":
              equal(await store.verify(partition, token, at), refused === null, "verify");
              break;
          }
        }
      });
      await fc.assert(property, { numRuns: 40, endOnFailure: true });
      t.ok(next <= 64, "every run had a partition of its own");
    },
  ],
];

function equal(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}
