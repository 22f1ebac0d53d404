import type { IncidentSnapshot, Priority } from "@winnow/contracts";
import type {
  DeliveryQueue,
  IncidentReader,
  RemoteTicket,
  SinkCall,
  SinkResult,
  TicketContent,
  TicketSink,
} from "@winnow/ports";
import { DeliveryTable, VirtualProcess, VirtualTime } from "@winnow/testkit";
import t from "tap";
import { DeliveryWorker } from "../src/delivery-worker.ts";

const minute = 60_000;
type Answer = SinkResult<RemoteTicket>;

/** One destination over a table of deliveries, in virtual time. */
class World {
  readonly time = new VirtualTime(1_000_000);
  readonly process = new VirtualProcess("router", this.time);
  readonly table = new DeliveryTable(() => undefined);
  readonly created: string[] = [];
  /** Calls that only look for work. */
  looks = 0;
  /** How long writing `inflight` takes; ms. */
  markMs = 0;
  /** Of every incident, as the store has it. */
  version = 1;
  answer: (content: TicketContent, call: SinkCall) => Promise<Answer> = async (content) => done(content);
  #finished = false;

  get finished(): boolean {
    return this.#finished;
  }

  wish(incident: string, priority: Priority, version = 1): void {
    this.table.wish({
      incident_id: incident,
      destination: "desk",
      desired_version: version,
      priority,
      urgent: true,
      at_ms: this.time.now,
    });
  }

  start(options: { creates?: number; concurrency?: number; sink?: Partial<TicketSink> } = {}): DeliveryWorker {
    const { clock, stop } = this.process;
    const settings = {
      name: "desk",
      mode: "live",
      maxCreatesPerMinute: options.creates ?? 1_000,
      concurrency: options.concurrency ?? 4,
    } as const;
    const sink: TicketSink = {
      type: "desk",
      class: "C",
      killTimeMs: 75_000,
      settleMs: 0,
      guarantee: "",
      create: async (content, call) => {
        const answer = await this.answer(content, call);
        if (answer.kind === "done") this.created.push(content.incident.incident_id);
        return answer;
      },
      update: async (_remote, content, call) => this.answer(content, call),
      find: async () => ({ kind: "done", value: null }),
      close: async () => undefined,
      ...options.sink,
    };
    let tokens = 0;
    const worker = new DeliveryWorker(settings, sink, {
      store: this.#store(),
      clock,
      ids: { token: () => `lease${(tokens += 1)}` },
      random: () => 0,
      deploymentId: "d",
      publicUrl: () => "http://winnow",
      report: {
        attempt: () => undefined,
        twins: () => undefined,
        ticketed: () => undefined,
        trouble: (_destination, error) => t.error(error),
      },
    });
    void worker.run(stop.signal).then(() => {
      this.#finished = true;
    });
    return worker;
  }

  #store(): DeliveryQueue & IncidentReader {
    const { table, time } = this;
    const snapshot = (id: string) =>
      ({ incident_id: id, version: this.version, state: "new", opened_ms: 0 }) as IncidentSnapshot;
    const store = {
      lease: async (destination: string, options: Parameters<DeliveryQueue["lease"]>[1]) => {
        this.looks += 1;
        return table.lease(destination, options, time.now);
      },
      markInflight: async (...[key, token, sent]: Parameters<DeliveryQueue["markInflight"]>) => {
        const marked = table.markInflight(key, token, sent, time.now);
        await this.process.clock.sleep(this.markMs);
        return marked;
      },
      settle: async (...[key, token, update]: Parameters<DeliveryQueue["settle"]>) =>
        table.settle(key, token, update, time.now),
      nextDue: async (destination: string) => {
        this.looks += 1;
        return table.nextDue(destination, time.now);
      },
      requeue: async () => 0,
      storeNow: async () => time.now,
      epoch: async () => null,
      deliveriesOf: async () => [],
      incident: async (id: string) => ({ snapshot: snapshot(id) }),
      members: async () => ({ items: [], next_cursor: null }),
      timeline: async () => [],
    };
    return store as unknown as DeliveryQueue & IncidentReader;
  }
}

function done(content: TicketContent): Answer {
  return { kind: "done", value: { remote_id: `T-${content.incident.incident_id}`, remote_url: null } };
}

await t.test("a request under way when the worker is asked to stop is finished, not cut off", async (t) => {
  const world = new World();
  let wasCut = false;
  world.answer = async (content, call) => {
    await world.process.clock.sleep(4_000);
    wasCut = call.signal.aborted;
    return wasCut ? { kind: "unknown", code: "http_failed", message: "aborted" } : done(content);
  };
  world.wish("inc_1", "P1");
  world.start();
  await world.time.runUntil(world.time.now + 1_000);
  world.process.stop.abort();
  await world.time.runUntil(world.time.now + 2_000);
  t.notOk(world.finished, "it waits");
  await world.time.runUntil(world.time.now + 2_000);
  t.notOk(wasCut);
  t.match(world.table.rows(), [{ delivery_state: "idle", remote_id: "T-inc_1" }]);
  t.ok(world.finished);
});

await t.test(
  "a vendor that never answers holds the stop up for ten seconds, then its request is given up",
  async (t) => {
    const world = new World();
    world.answer = async (_content, call) => {
      await world.process.clock.sleep(10 * minute, call.signal);
      return { kind: "unknown", code: "http_failed", message: "aborted" };
    };
    world.wish("inc_1", "P1");
    world.start();
    await world.time.runUntil(world.time.now + 1_000);
    world.process.stop.abort();
    await world.time.runUntil(world.time.now + 9_000);
    t.notOk(world.finished);
    await world.time.runUntil(world.time.now + 1_500);
    t.ok(world.finished);
    t.match(world.table.rows(), [{ delivery_state: "unknown" }]);
  },
);

await t.test("while the vendor wants to be left alone the store is not asked again and again", async (t) => {
  const world = new World();
  world.answer = async () => ({
    kind: "refused",
    retry: "later",
    code: "http_429",
    message: "slow down",
    retryAfterMs: 10 * minute,
  });
  for (const incident of ["a", "b", "c"]) world.wish(incident, "P3");
  world.start({ concurrency: 1 });
  await world.time.runUntil(world.time.now + 9 * minute);
  t.ok(world.looks < 30, `${world.looks} looks`);
  world.answer = async (content) => done(content);
  await world.time.runUntil(world.time.now + 5 * minute);
  t.same(world.created.toSorted(), ["a", "b", "c"], "afterwards all go on");
});

await t.test("with every place taken by a slow vendor the store is not asked again and again", async (t) => {
  const world = new World();
  world.answer = async (content) => {
    await world.process.clock.sleep(20_000);
    return done(content);
  };
  for (const incident of ["a", "b", "c"]) world.wish(incident, "P3");
  world.start({ concurrency: 1 });
  await world.time.runUntil(world.time.now + 2 * minute);
  t.equal(world.created.length, 3);
  t.ok(world.looks < 200, `${world.looks} looks`);
});

await t.test("beyond the budget creates wait, the most urgent first, and a wait is no attempt", async (t) => {
  const world = new World();
  for (let at = 0; at < 40; at += 1) world.wish(`low${at}`, "P4");
  world.start({ creates: 4, concurrency: 2 });
  await world.time.runUntil(world.time.now + 30_000);
  t.equal(world.created.length, 4, "the budget of the first minute");
  t.match(
    world.table.rows().find(({ remote_id }) => remote_id === null),
    { delivery_state: "due", attempts: 0, last_error: { code: "create_budget" } },
  );
  for (const at of [1, 2, 3]) world.wish(`high${at}`, "P1");
  await world.time.runUntil(world.time.now + 40_000);
  t.same(world.created.slice(4, 7).toSorted(), ["high1", "high2", "high3"]);
  t.equal(world.created.length, 8);
  t.ok(world.looks < 1_000, `${world.looks} looks`);
  await world.time.runUntil(world.time.now + 10 * minute);
  t.equal(world.created.length, 43, "all in the end");
});

await t.test("where nothing is looked up a slow store keeps no delivery from being sent", async (t) => {
  const world = new World();
  world.markMs = 300;
  world.answer = async (content, call) =>
    call.beforeSend() ? done(content) : { kind: "refused", retry: "later", code: "http_not_sent", message: "" };
  world.wish("inc_1", "P1");
  const sink = { class: "E", killTimeMs: 0, find: undefined } as unknown as Partial<TicketSink>;
  world.start({ sink });
  await world.time.runUntil(world.time.now + 2_000);
  t.same(world.created, ["inc_1"]);
});

await t.test(
  "an update without a note whose reply was lost holds later ones back until the vendor must be through with it",
  async (t) => {
    const world = new World();
    const updates: number[] = [];
    world.start({
      sink: {
        update: async () => {
          updates.push(world.time.now);
          // The vendor has it still, and may put it over whatever comes in between.
          return updates.length === 1
            ? { kind: "unknown", code: "http_timeout", message: "no answer" }
            : { kind: "done", value: { remote_id: "T1", remote_url: null } };
        },
        confirm: async () => ({ kind: "done", value: true }),
      },
    });
    world.wish("a", "P3");
    await world.time.runUntil(world.time.now + 5_000);
    world.version = 2;
    world.wish("a", "P3", 2);
    await world.time.runUntil(world.time.now + 5_000);
    world.version = 3;
    world.wish("a", "P3", 3);
    await world.time.runUntil(world.time.now + 2 * minute);
    t.equal(updates.length, 2);
    const apart = (updates[1] ?? 0) - (updates[0] ?? 0);
    t.ok(apart > 75_000 && apart < 80_000, `${apart} ms`);
    t.match(world.table.rows(), [{ delivery_state: "idle" }]);
  },
);

await t.test("an update that a lookup shows to be through ends the streak of failures", async (t) => {
  const world = new World();
  world.start({
    sink: {
      update: async () => ({ kind: "unknown", code: "http_timeout", message: "no answer" }),
      confirm: async () => ({ kind: "done", value: true }),
    },
  });
  world.wish("a", "P3");
  await world.time.runUntil(world.time.now + 5_000);
  for (const version of [2, 3, 4]) {
    world.version = version;
    world.wish("a", "P3", version);
    await world.time.runUntil(world.time.now + 2 * minute);
    t.match(world.table.rows(), [{ delivery_state: "idle", applied_version: version, attempts: 0 }]);
  }
});

await t.test(
  "a request that its own lease holds back is no refusal of the vendor's, and soon tried again",
  async (t) => {
    const world = new World();
    let held = 0;
    world.markMs = 20_000;
    world.answer = async (content, call) => {
      if (call.beforeSend()) return done(content);
      held += 1;
      if (held === 8) world.markMs = 0;
      return { kind: "refused", retry: "later", code: "http_not_sent", message: "held back" };
    };
    world.wish("a", "P1");
    world.start();
    await world.time.runUntil(world.time.now + 8 * 22_000);
    t.equal(held, 8);
    t.match(world.table.rows(), [{ delivery_state: "idle", attempts: 0 }]);
  },
);
