import { setImmediate } from "node:timers/promises";
import { type LogValue, type TickRecord, type Topic, topics } from "@winnow/contracts";
import { hasCode } from "@winnow/platform";
import type { AppendRecord, EventLog, StoredRecord } from "@winnow/ports";
import type { Test } from "tap";

/** What the settings of a log let `trim` remove: nothing, or everything below the offset. */
export type ContractRetention = "keep" | "drop";

/** How the suite reaches the adapter under test. Places are its own and are never shared between tests. */
export interface EventLogHarness {
  readonly name: string;
  /**
   * Opens the log at a place. The first open finds nothing there, a later one finds what was left.
   * With "drop" the age and size settings let go all that `trim` permits.
   */
  open(place: string, retention: ContractRetention): Promise<EventLog>;
  /** Deletes everything that is stored at a place whose log is closed. */
  remove(place: string): Promise<void>;
}

/** A record whose value carries a number, so that order can be read off. */
export function tickRecord(number: number, events = 0): AppendRecord {
  return { value: tick(number), events };
}

/** The number that `tickRecord` put into a stored record. */
export function numberOf(record: StoredRecord): number {
  return (record.value as TickRecord).at_ms;
}

/** Reads all records from `offset` to the end in reads of about `maxBytes`. */
export async function readAll(
  log: EventLog,
  at: { readonly topic: Topic; readonly partition: number; readonly offset?: number; readonly maxBytes?: number },
): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  let offset = at.offset ?? (await log.status(at.topic, at.partition)).start_offset;
  while (true) {
    const records = await log.read(at.topic, at.partition, offset, at.maxBytes ?? 1 << 20);
    const last = records.at(-1);
    if (last === undefined) return all;
    all.push(...records);
    offset = last.offset + 1;
  }
}

/** Every adapter of the EventLog port must pass this suite unchanged. */
export async function eventLogContract(t: Test, harness: EventLogHarness): Promise<void> {
  let places = 0;
  const run = (title: string, body: (t: Test, place: Place) => Promise<void>) =>
    t.test(`${harness.name}: ${title}`, async (t) => {
      places += 1;
      const place = new Place(harness, `contract-${places}`);
      try {
        await body(t, place);
      } finally {
        await place.close();
      }
    });
  for (const [title, body] of [...appending, ...reading, ...waiting, ...keeping, ...trimming]) await run(title, body);
}

/** The logs that one test opens at its place, closed behind it. */
class Place {
  readonly #harness: EventLogHarness;
  readonly #place: string;
  readonly #open: EventLog[] = [];

  constructor(harness: EventLogHarness, place: string) {
    this.#harness = harness;
    this.#place = place;
  }

  async open(retention: ContractRetention = "keep"): Promise<EventLog> {
    const log = await this.#harness.open(this.#place, retention);
    this.#open.push(log);
    return log;
  }

  remove(): Promise<void> {
    return this.#harness.remove(this.#place);
  }

  async close(): Promise<void> {
    for (const log of this.#open) await log.close();
  }
}

type Case = readonly [title: string, body: (t: Test, place: Place) => Promise<void>];

const appending: readonly Case[] = [
  [
    "a new log is empty and every partition has a log_id of its own",
    async (t, place) => {
      const log = await place.open();
      const ids = new Set<string>();
      for (const topic of topics) {
        for (let partition = 0; partition < log.partitions; partition += 1) {
          const status = await log.status(topic, partition);
          t.match(status, { start_offset: 0, end_offset: 0, events: 0 });
          ids.add(status.log_id);
          t.same(await log.read(topic, partition, 0, 1000), []);
        }
      }
      t.equal(ids.size, topics.length * log.partitions);
      t.notOk(ids.has(""));
    },
  ],
  [
    "offsets rise by one per record and an append resolves with the first of its own",
    async (t, place) => {
      const log = await place.open();
      t.equal(await log.append("alerts", 1, [tickRecord(0)]), 0);
      t.equal(await log.append("alerts", 1, [tickRecord(1), tickRecord(2), tickRecord(3)]), 1);
      t.equal(await log.append("alerts", 1, [tickRecord(4)]), 4);
      const records = await readAll(log, { topic: "alerts", partition: 1 });
      t.same(
        records.map((record) => record.offset),
        [0, 1, 2, 3, 4],
      );
      t.same(records.map(numberOf), [0, 1, 2, 3, 4]);
      t.ok(records.every((record) => Number.isSafeInteger(record.appended_ms) && record.appended_ms > 0));
    },
  ],
  [
    "appends called at once keep the order of the calls, and no append is split by another",
    async (t, place) => {
      const log = await place.open();
      const appends = Array.from({ length: 300 }, (_, n) =>
        log.append("alerts", 0, [tickRecord(n * 3), tickRecord(n * 3 + 1), tickRecord(n * 3 + 2)]),
      );
      t.same(
        await Promise.all(appends),
        appends.map((_, n) => n * 3),
      );
      const records = await readAll(log, { topic: "alerts", partition: 0 });
      t.same(
        records.map(numberOf),
        Array.from({ length: 900 }, (_, n) => n),
      );
    },
  ],
  [
    "partitions and topics do not mix",
    async (t, place) => {
      const log = await place.open();
      const spots = topics.flatMap((topic) =>
        Array.from({ length: log.partitions }, (_, partition) => ({ topic, partition })),
      );
      await Promise.all(
        spots.map(({ topic, partition }, n) => log.append(topic, partition, [tickRecord(n), tickRecord(1000 + n)])),
      );
      for (const [n, { topic, partition }] of spots.entries()) {
        t.same((await readAll(log, { topic, partition })).map(numberOf), [n, 1000 + n]);
      }
    },
  ],
  [
    "what an append resolved for can be read, and nothing at or above end_offset ever is",
    async (t, place) => {
      const log = await place.open();
      const writer = { busy: true };
      const reader = (async () => {
        while (writer.busy) {
          const records = await log.read("transitions", 0, 0, 1 << 20);
          const { end_offset } = await log.status("transitions", 0);
          t.ok(records.every((record, n) => record.offset === n && record.offset < end_offset));
          await setImmediate();
        }
      })();
      for (let n = 0; n < 50; n += 1) {
        const offset = await log.append("transitions", 0, [tickRecord(n)]);
        t.equal((await log.status("transitions", 0)).end_offset, offset + 1);
        t.same((await log.read("transitions", 0, offset, 1)).map(numberOf), [n]);
      }
      writer.busy = false;
      await reader;
    },
  ],
  [
    "status counts the events of durable records",
    async (t, place) => {
      const log = await place.open();
      await log.append("alerts", 2, [tickRecord(0, 50), tickRecord(1)]);
      await log.append("alerts", 2, [tickRecord(2, 7)]);
      await log.append("alerts", 3, [tickRecord(3, 1)]);
      t.equal((await log.status("alerts", 2)).events, 57);
      t.equal((await log.status("alerts", 3)).events, 1);
      t.equal((await log.status("alerts", 0)).events, 0);
    },
  ],
  [
    "a closed log refuses appends and reads with log_closed, and closing twice is harmless",
    async (t, place) => {
      const log = await place.open();
      await log.append("alerts", 0, [tickRecord(0)]);
      await log.close();
      await log.close();
      t.ok(hasCode(await failure(log.append("alerts", 0, [tickRecord(1)])), "log_closed"));
      t.ok(hasCode(await failure(log.read("alerts", 0, 0, 1)), "log_closed"));
    },
  ],
];

const reading: readonly Case[] = [
  [
    "reads are bounded by bytes but give at least one record",
    async (t, place) => {
      const log = await place.open();
      const records = Array.from({ length: 40 }, (_, n) => ({ value: wideTick(n, 1000), events: 0 }));
      await log.append("alerts", 0, records);
      t.equal((await log.read("alerts", 0, 5, 1)).length, 1);
      const some = await log.read("alerts", 0, 0, 10_000);
      t.ok(some.length >= 5 && some.length <= 15, `about 10 records of 1,000 bytes, got ${some.length}`);
      const walked = await readAll(log, { topic: "alerts", partition: 0, maxBytes: 3000 });
      t.same(
        walked.map(numberOf),
        records.map((_, n) => n),
      );
    },
  ],
  [
    "a read at the end is empty, and one above it is refused",
    async (t, place) => {
      const log = await place.open();
      await log.append("alerts", 0, [tickRecord(0), tickRecord(1)]);
      t.same(await log.read("alerts", 0, 2, 1000), []);
      t.ok(hasCode(await failure(log.read("alerts", 0, 3, 1000)), "log_offset_beyond_end"));
      t.ok(hasCode(await failure(log.read("alerts", 1, 1, 1000)), "log_offset_beyond_end"));
    },
  ],
  [
    "values come back as they were, odd text and large records included",
    async (t, place) => {
      const values = oddValues();
      const log = await place.open();
      await log.append(
        "alerts",
        0,
        values.map((value) => ({ value, events: 0 })),
      );
      const same = async (log: EventLog) =>
        t.same(
          (await readAll(log, { topic: "alerts", partition: 0 })).map((record) => record.value),
          values,
        );
      await same(log);
      await log.close();
      await same(await place.open());
    },
  ],
];

const waiting: readonly Case[] = [
  [
    "wait is true at once for a record that is there",
    async (t, place) => {
      const log = await place.open();
      await log.append("alerts", 0, [tickRecord(0)]);
      t.equal(await log.wait("alerts", 0, 0, new AbortController().signal), true);
    },
  ],
  [
    "wait wakes when its record becomes durable, and not before",
    async (t, place) => {
      const log = await place.open();
      const signal = new AbortController().signal;
      const woken: string[] = [];
      const first = log.wait("alerts", 0, 0, signal).then((there) => woken.push(`first ${there}`));
      const third = log.wait("alerts", 0, 2, signal).then((there) => woken.push(`third ${there}`));
      await log.append("alerts", 1, [tickRecord(0), tickRecord(1), tickRecord(2)]);
      await log.append("alerts", 0, [tickRecord(0), tickRecord(1)]);
      await first;
      t.same(woken, ["first true"]);
      await log.append("alerts", 0, [tickRecord(2)]);
      await third;
      t.same(woken, ["first true", "third true"]);
    },
  ],
  [
    "wait ends with false when its signal is aborted, before or during",
    async (t, place) => {
      const log = await place.open();
      const controller = new AbortController();
      const waits = [0, 0, 9].map((offset) => log.wait("alerts", 0, offset, controller.signal));
      controller.abort();
      t.same(await Promise.all(waits), [false, false, false]);
      t.equal(await log.wait("alerts", 0, 0, controller.signal), false);
    },
  ],
  [
    "wait ends with false when the log is closed",
    async (t, place) => {
      const log = await place.open();
      const waiting = log.wait("alerts", 0, 0, new AbortController().signal);
      await log.close();
      t.equal(await waiting, false);
      t.equal(await log.wait("alerts", 0, 0, new AbortController().signal), false);
    },
  ],
];

const keeping: readonly Case[] = [
  [
    "a log that is opened again has its records, counts and log_ids, and goes on behind them",
    async (t, place) => {
      const first = await place.open();
      await first.append("alerts", 0, [tickRecord(0, 3), tickRecord(1, 4)]);
      await first.append("incident-events", 2, [tickRecord(2)]);
      const before = await statuses(first);
      const stored = await readAll(first, { topic: "alerts", partition: 0 });
      await first.close();
      const second = await place.open();
      t.same(await statuses(second), before);
      t.same(await readAll(second, { topic: "alerts", partition: 0 }), stored);
      t.equal(await second.append("alerts", 0, [tickRecord(3, 1)]), 2);
      t.same((await readAll(second, { topic: "alerts", partition: 0 })).map(numberOf), [0, 1, 3]);
      t.equal((await second.status("alerts", 0)).events, 8);
    },
  ],
  [
    "close lets appends that were called before it become durable",
    async (t, place) => {
      const first = await place.open();
      const appends = Array.from({ length: 20 }, (_, n) => first.append("alerts", 0, [tickRecord(n)]));
      await first.close();
      await Promise.all(appends);
      const second = await place.open();
      t.equal((await readAll(second, { topic: "alerts", partition: 0 })).length, 20);
    },
  ],
  [
    "a log that was deleted and made again has other log_ids",
    async (t, place) => {
      const first = await place.open();
      await first.append("alerts", 0, [tickRecord(0)]);
      const before = await statuses(first);
      await first.close();
      await place.remove();
      const after = await statuses(await place.open());
      t.equal(after[0]?.end_offset, 0);
      const old = new Set(before.map((status) => status.log_id));
      t.notOk(after.some((status) => old.has(status.log_id)));
    },
  ],
];

const trimming: readonly Case[] = [
  [
    "trim removes nothing that the age and size settings keep",
    async (t, place) => {
      const log = await place.open("keep");
      for (let n = 0; n < 5; n += 1) await log.append("alerts", 0, [tickRecord(n)]);
      await log.trim("alerts", 0, 5);
      t.equal((await readAll(log, { topic: "alerts", partition: 0 })).length, 5);
    },
  ],
  [
    "trim lets records below the offset go and never those at or above it",
    async (t, place) => {
      const log = await place.open("drop");
      for (let n = 0; n < 10; n += 1) await log.append("alerts", 0, [tickRecord(n, 2)]);
      await log.trim("alerts", 0, 6);
      const status = await log.status("alerts", 0);
      t.ok(status.start_offset > 0 && status.start_offset <= 6, `start is ${status.start_offset}`);
      t.match(status, { end_offset: 10, events: 20 });
      t.ok(hasCode(await failure(log.read("alerts", 0, 0, 1)), "log_offset_trimmed"));
      t.same((await readAll(log, { topic: "alerts", partition: 0, offset: 6 })).map(numberOf), [6, 7, 8, 9]);
    },
  ],
  [
    "start, count of events and log_id of a trimmed log survive opening it again",
    async (t, place) => {
      const first = await place.open("drop");
      for (let n = 0; n < 10; n += 1) await first.append("alerts", 0, [tickRecord(n, 2)]);
      await first.trim("alerts", 0, 10);
      const before = await first.status("alerts", 0);
      await first.close();
      const second = await place.open("drop");
      t.same(await second.status("alerts", 0), before);
      t.equal(await second.append("alerts", 0, [tickRecord(10, 1)]), 10);
      t.match(await second.status("alerts", 0), { end_offset: 11, events: 21 });
    },
  ],
];

async function statuses(log: EventLog) {
  const all = [];
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions; partition += 1) all.push(await log.status(topic, partition));
  }
  return all;
}

/** The error that a promise rejects with; undefined when it resolves. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}

function tick(number: number, delivered: Readonly<Record<string, number>> = {}): LogValue {
  return { kind: "tick", at_ms: number, ready_since_ms: 0, delivered_ms: delivered };
}

/** A tick of about `bytes` bytes as JSON. */
function wideTick(number: number, bytes: number): LogValue {
  return tick(number, { ["x".repeat(bytes - 60)]: 1 });
}

function oddValues(): LogValue[] {
  const keys = ["", "\u0000", "naïve – 中文 – 😀", "\ud800 alone", '"\\\n', "\u2028", "õþ"];
  return [
    tick(-1.5e-7),
    tick(Number.MAX_SAFE_INTEGER),
    tick(0, Object.fromEntries(keys.map((key, n) => [key, n]))),
    wideTick(1, 512 * 1024),
    tick(2),
  ];
}
