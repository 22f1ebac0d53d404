import { createLogger } from "@winnow/platform";
import type { DeliveryRow, EventLog, IncidentStore, RemoteTicket, SinkResult, TicketSink } from "@winnow/ports";
import { DeliveryTable, VirtualProcess, VirtualTime } from "@winnow/testkit";
import t from "tap";
import { Router, type RouterDestination } from "../src/router.ts";

/** A router without partitions: deliveries alone, in virtual time. */
class World {
  readonly time = new VirtualTime(1_000_000);
  readonly table = new DeliveryTable(() => undefined);
  readonly #process = new VirtualProcess("router", this.time);
  readonly router: Router;
  /** Every destination that was put in force: who looked for work last, whether it was closed, what it created. */
  readonly #told: string[] = [];
  requestMs = 0;

  constructor() {
    const { clock } = this.#process;
    this.router = new Router({
      log: { partitions: 0 } as EventLog,
      store: this.#store(),
      clock,
      ids: { token: () => Math.random().toString(16) },
      logger: createLogger({ level: "error" }),
      alone: true,
      destinations: [this.destination("first")],
      record: {
        rules: { initial: undefined as never, get: async () => Promise.reject(new Error("no rules")) },
        hash: (text) => text,
        cacheMax: 1,
        recorded: () => undefined,
      },
      delivery: {
        random: () => 0,
        deploymentId: "d",
        publicUrl: () => "http://winnow",
        report: {
          attempt: () => undefined,
          twins: () => undefined,
          ticketed: () => undefined,
          trouble: (_destination, error) => t.error(error),
        },
      },
    });
  }

  /** What sinks told since the last time. */
  told(): string[] {
    return this.#told.splice(0);
  }

  wish(incident: string): void {
    const at_ms = this.time.now;
    const rest = { destination: "desk", desired_version: 1, priority: "P1", urgent: true, at_ms } as const;
    this.table.wish({ incident_id: incident, ...rest });
  }

  destination(name: string): RouterDestination {
    const sink: TicketSink = {
      type: "desk",
      class: "E",
      killTimeMs: 0,
      settleMs: 0,
      guarantee: "",
      create: async (content, call): Promise<SinkResult<RemoteTicket>> => {
        const id = content.incident.incident_id;
        await this.#process.clock.sleep(this.requestMs);
        if (call.signal.aborted) return { kind: "unknown", code: "http_failed", message: "aborted" };
        this.#told.push(`${name} created ${id}`);
        return { kind: "done", value: { remote_id: id, remote_url: null } };
      },
      update: async (remote) => ({ kind: "done", value: remote }),
      close: async () => {
        this.#told.push(`${name} closed`);
      },
    };
    return { settings: { name: "desk", mode: "live", maxCreatesPerMinute: 100, concurrency: 2 }, sink };
  }

  #store(): IncidentStore {
    const { table, time } = this;
    const store = {
      recoverInflight: async () => table.recoverInflight(time.now),
      lease: async (...[name, options]: Parameters<IncidentStore["lease"]>) => table.lease(name, options, time.now),
      markInflight: async (...[key, token, sent]: Parameters<IncidentStore["markInflight"]>) =>
        table.markInflight(key, token, sent, time.now),
      settle: async (...[key, token, update]: Parameters<IncidentStore["settle"]>) =>
        table.settle(key, token, update, time.now),
      nextDue: async (name: string) => table.nextDue(name, time.now),
      requeue: async () => 0,
      storeNow: async () => time.now,
      epoch: async () => null,
      deliveriesOf: async (): Promise<DeliveryRow[]> => [],
      incident: async (id: string) => ({ snapshot: { incident_id: id, version: 1, state: "new", opened_ms: 0 } }),
      members: async () => ({ items: [], next_cursor: null }),
      timeline: async () => [],
    };
    return store as unknown as IncidentStore;
  }

  async pass(ms: number): Promise<void> {
    await this.time.runUntil(this.time.now + ms);
  }
}

await t.test("a reload lets the request under way end, and holds nothing else up", async (t) => {
  const world = new World();
  await world.router.start();
  world.requestMs = 5_000;
  world.wish("slow");
  await world.pass(2_000);
  world.requestMs = 0;
  world.router.reload([world.destination("second")]);
  world.wish("quick");
  await world.pass(1_500);
  t.same(world.told(), ["second created quick"]);
  await world.pass(4_000);
  t.same(world.told(), ["first created slow", "first closed"]);
});

await t.test("of several reloads at once the last is in force, and the others' destinations are closed", async (t) => {
  const world = new World();
  await world.router.start();
  world.router.reload([world.destination("second")]);
  world.router.reload([world.destination("third")]);
  await world.pass(100);
  t.same(world.told().toSorted(), ["first closed", "second closed"]);
  for (const incident of ["a", "b", "c", "d"]) world.wish(incident);
  await world.pass(5_000);
  t.same(
    world.told(),
    ["a", "b", "c", "d"].map((incident) => `third created ${incident}`),
  );
});

await t.test("a stop waits for destinations of before a reload too, and nothing starts after it", async (t) => {
  const world = new World();
  await world.router.start();
  world.requestMs = 5_000;
  world.wish("slow");
  await world.pass(2_000);
  world.router.reload([world.destination("second")]);
  let isStopped = false;
  void world.router.stop().then(() => {
    isStopped = true;
  });
  await world.pass(1_000);
  t.notOk(isStopped);
  world.router.reload([world.destination("third")]);
  await world.pass(5_000);
  t.ok(isStopped);
  t.same(world.told(), ["second closed", "third closed", "first created slow", "first closed"]);
});
