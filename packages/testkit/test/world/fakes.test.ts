import { WinnowError } from "@winnow/platform";
import type { IncidentStore, WindowStore } from "@winnow/ports";
import {
  CheckpointTables,
  checkpointStoreContract,
  FaultCounts,
  FaultyCheckpointStore,
  type IncidentCase,
  IncidentPlace,
  IncidentTables,
  Operations,
  Random,
  VirtualProcess,
  VirtualTime,
  WindowTables,
  windowStoreContract,
} from "@winnow/testkit";
import t from "tap";
import { queueCases } from "../../src/contract/incident-store-queue.ts";
import { recorderCases } from "../../src/contract/incident-store-recorder.ts";
import { sampleMs } from "../../src/contract/incident-store-samples.ts";
import { settleCases } from "../../src/contract/incident-store-settle.ts";

/** One client: once it is closed it refuses. */
function client<Store extends { close(): Promise<void> }>(store: Store): Store {
  let closed = false;
  return new Proxy(store, {
    get: (inner, name) => {
      if (name === "close")
        return async () => {
          closed = true;
        };
      return closed
        ? () => Promise.reject(new WinnowError("store_unavailable", "closed"))
        : (Reflect.get(inner, name) as unknown);
    },
  });
}

function windowsOver(tables: WindowTables, partitions: number): WindowStore {
  return {
    claim: async (at, token) => tables.claim(at, token),
    load: async (at, token, position, keys) => tables.load(at, token, position, keys),
    commit: async (at, token, previous, commit) => tables.commit(at, token, previous, commit),
    verify: async (at, token, position) => tables.verify(at, token, position),
    metas: async (stage) =>
      Array.from({ length: partitions }, (_, partition) => ({ partition, meta: tables.meta({ stage, partition }) })),
    scan: async (at, range) => tables.scan(at, range),
    peek: async (at, keys) => tables.peek(at, keys),
    close: async () => {},
  };
}

/** The part of the port that the simulated world uses. */
function incidentsOver(tables: IncidentTables, clock: { now: number }, partitions: number): IncidentStore {
  const { deliveries } = tables;
  const store: Partial<IncidentStore> = {
    claim: async (partition, token) => tables.claim(partition, token),
    load: async (partition, token, position, ids) => tables.load(partition, token, position, ids),
    commit: async (partition, token, previous, commit) => tables.commit(partition, token, previous, commit),
    verify: async (partition, token, position) => tables.verify(partition, token, position),
    recordMetas: async () =>
      Array.from({ length: partitions }, (_, partition) => ({ partition, meta: tables.meta(partition) })),
    storeNow: async () => clock.now,
    lease: async (destination, options) => deliveries.lease(destination, options, clock.now),
    markInflight: async (key, token, sent) => deliveries.markInflight(key, token, sent, clock.now),
    settle: async (key, token, update) => deliveries.settle(key, token, update, clock.now),
    recoverInflight: async () => deliveries.recoverInflight(clock.now),
    nextDue: async (destination) => deliveries.nextDue(destination, clock.now),
    requeue: async (destination) => deliveries.requeue(destination, clock.now),
    deliveriesOf: async (ids) => deliveries.rowsOf(ids),
    incident: async (id) => tables.incident(id),
    members: async (id, page) => ({ items: tables.members(id).slice(0, page.limit), next_cursor: null }),
    timeline: async (id, after, limit) => tables.timeline(id).slice(after, after + limit),
    deadLetter: async (id) => tables.deadLetters.get(id) ?? null,
    close: async () => {},
  };
  return store as IncidentStore;
}

await windowStoreContract(t, {
  name: "window tables",
  open: async ({ partitions }) => {
    const tables = new WindowTables();
    return { connect: async () => client(windowsOver(tables, partitions)), remove: async () => {} };
  },
});

await checkpointStoreContract(t, {
  name: "checkpoint tables",
  open: async () => {
    const tables = new CheckpointTables();
    const time = new VirtualTime(0);
    const operations = new Operations(time, new Random(1), new FaultCounts());
    let open = true;
    const run = async (): Promise<void> => {
      if (!open) return;
      await time.runUntil(time.now + 10);
      await run();
    };
    void run();
    return {
      connect: async () => {
        const store = new FaultyCheckpointStore(tables, new VirtualProcess("saver", time), operations);
        return Object.assign(store, { close: async () => {} });
      },
      remove: async () => {
        open = false;
      },
    };
  },
});

const incidentCases: readonly IncidentCase[] = [...recorderCases, ...queueCases, ...settleCases];
for (const [title, body] of incidentCases)
  await t.test(`incident tables: ${title}`, async (t) => {
    const tables = new IncidentTables();
    const clock = { now: sampleMs };
    const place = new IncidentPlace({
      connect: async () => client(incidentsOver(tables, clock, 64)),
      advance: (ms) => {
        clock.now += ms;
      },
      remove: async () => {},
    });
    await body(t, place);
  });

await t.test("virtual time stands still while a promise can settle, and fires timers in order", async (t) => {
  const time = new VirtualTime(1_000);
  const seen: string[] = [];
  time.after(5, () => seen.push(`b ${time.now}`));
  time.after(1, () => {
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => seen.push(`a ${time.now}`));
    time.after(4, () => seen.push(`c ${time.now}`));
  });
  time.after(2, () => seen.push("never")).cancel();
  await time.runUntil(1_010);
  t.same(seen, ["a 1001", "b 1005", "c 1005"]);
  t.equal(time.now, 1_010);
});

await t.test("a seed gives the same numbers, evenly, within their bounds", async (t) => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 5_000 }, () => random.between(1, 10));
  };
  t.same(draw(3), draw(3));
  t.not(draw(3).join(), draw(4).join());
  for (let face = 1; face <= 10; face += 1) {
    const times = draw(3).filter((one) => one === face).length;
    t.ok(times > 400 && times < 600, `${face}: ${times}`);
  }
});
