import type { Page } from "@winnow/ports";
import type { IncidentCase } from "./incident-store.ts";
import { deadLetter } from "./incident-store-recorder.ts";
import { incidentRow, keyOf, member, Recorder, sampleMs, wish } from "./incident-store-samples.ts";

/** Follows cursors to the end; `between` runs after each page. */
async function walk<Item>(
  read: (cursor?: string) => Promise<Page<Item>>,
  between: (page: number) => Promise<void> = async () => undefined,
): Promise<Item[][]> {
  const pages: Item[][] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    pages.push([...page.items]);
    await between(pages.length);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return pages;
}

const from = (cursor: string | undefined) => (cursor === undefined ? {} : { cursor });
const idsOf = (page: Page<{ readonly snapshot: { readonly incident_id: string } }>) =>
  page.items.map((row) => row.snapshot.incident_id);

export const readerCases: readonly IncidentCase[] = [
  [
    "incidents come newest first, page by page, without a gap or a repeat while others are inserted",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const add = (id: string, at: number) => recorder.commit({ incidents: [incidentRow(id, { opened_ms: at })] });
      // Pairs are opened in the same millisecond.
      for (let n = 0; n < 7; n += 1) await add(`i${n}`, sampleMs + Math.floor(n / 2));
      const pages = await walk(
        (cursor) => store.incidents({ limit: 3, ...from(cursor) }),
        async (page) => {
          await add(`newer${page}`, sampleMs + 100);
          await add(`older${page}`, sampleMs - page);
        },
      );
      const seen = pages.flat().map((row) => row.snapshot.incident_id);
      t.strictSame(
        seen.filter((id) => id.startsWith("i")),
        ["i6", "i5", "i4", "i3", "i2", "i1", "i0"],
      );
      t.notOk(
        seen.some((id) => id.startsWith("newer")),
        "what came in front is not on later pages",
      );
      t.equal(new Set(seen).size, seen.length);
      t.ok(pages.slice(0, -1).every((page) => page.length === 3));
    },
  ],
  [
    "a last page that is exactly full has no cursor, and a foreign cursor is an empty last page",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({ incidents: [incidentRow("a"), incidentRow("b")] });
      const page = await store.incidents({ limit: 2 });
      t.equal(page.items.length, 2);
      t.equal(page.next_cursor, null);
      for (const cursor of ["", "x", "%", "e30", "WyJhIiwiYiJd", "bnVsbA"]) {
        t.strictSame(await store.incidents({ limit: 2, cursor }), { items: [], next_cursor: null }, `cursor ${cursor}`);
      }
    },
  ],
  [
    "incidents are filtered by states and priorities, over pages too",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const states = ["new", "acknowledged", "resolved", "closed"] as const;
      const priorities = ["P1", "P2", "P3"] as const;
      const rows = Array.from({ length: 24 }, (_, n) =>
        incidentRow(`i${String(n).padStart(2, "0")}`, {
          opened_ms: sampleMs + n,
          state: states[n % 4] ?? "new",
          priority: priorities[n % 3] ?? "P1",
        }),
      );
      await recorder.commit({ incidents: rows });
      const expected = (wanted: (row: (typeof rows)[number]["snapshot"]) => boolean) =>
        rows
          .map((row) => row.snapshot)
          .filter(wanted)
          .map((row) => row.incident_id)
          .toReversed();
      const read = async (filter: object) =>
        (await walk((cursor) => store.incidents({ ...filter, limit: 4, ...from(cursor) })))
          .flat()
          .map((row) => row.snapshot.incident_id);
      t.strictSame(
        await read({ states: ["new", "closed", "new"] }),
        expected((row) => ["new", "closed"].includes(row.state)),
      );
      t.strictSame(
        await read({ priorities: ["P2", "P3"] }),
        expected((row) => row.priority !== "P1"),
      );
      t.strictSame(
        await read({ states: ["new", "resolved"], priorities: ["P1"] }),
        expected((row) => ["new", "resolved"].includes(row.state) && row.priority === "P1"),
      );
      t.strictSame(await read({ states: [] }), []);
      t.strictSame(await read({ states: ["reviewed"] }), []);
    },
  ],
  [
    "an incident that changes its state is found under the new one alone",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({ incidents: [incidentRow("i")] });
      await recorder.commit({ incidents: [incidentRow("i", { state: "resolved", priority: "P3", title: "mended" })] });
      t.strictSame(idsOf(await store.incidents({ states: ["new"], limit: 5 })), []);
      t.strictSame(idsOf(await store.incidents({ states: ["resolved"], priorities: ["P3"], limit: 5 })), ["i"]);
      t.strictSame(idsOf(await store.incidents({ q: "latency", limit: 5 })), []);
      t.strictSame((await store.counts()).incidents, [{ state: "resolved", priority: "P3", n: 1 }]);
    },
  ],
  [
    "a search finds all its words in title, service, group key and number, in any case and order",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({
        incidents: [
          incidentRow("a", { title: "Disk FULL on db-1", service: "Datenbank Größe", number: 4711, group_key: [] }),
          incidentRow("b", { title: "100% of disk_a", service: null, group_key: [{ k: "cluster", v: "West" }] }),
        ],
      });
      const found = async (q: string) => idsOf(await store.incidents({ q, limit: 5 })).toSorted();
      t.strictSame(await found("disk"), ["a", "b"]);
      t.strictSame(await found("  full   DISK "), ["a"]);
      t.strictSame(await found("größe"), ["a"]);
      t.strictSame(await found("4711"), ["a"]);
      t.strictSame(await found("west cluster"), ["b"]);
      t.strictSame(await found("full west"), []);
      t.strictSame(await found("%"), ["b"], "wildcards of the database are plain characters");
      t.strictSame(await found("disk_a"), ["b"]);
      t.strictSame(await found("' OR 1=1 --"), []);
      t.strictSame(await found("   "), ["a", "b"]);
    },
  ],
  [
    "members come newest joined first with cursors, of their incident alone",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const members = [3, 1, 2, 2, 5].map((at, n) => member(`f${n}`, { joined_ms: sampleMs + at }));
      await recorder.commit({
        incidents: [incidentRow("i"), incidentRow("j")],
        members: [
          ...members.map((one) => ({ incident_id: "i", member: one })),
          { incident_id: "j", member: member("other") },
        ],
      });
      const pages = await walk((cursor) => store.members("i", { limit: 2, ...from(cursor) }));
      t.strictSame(
        pages.flat().map((row) => row.joined_ms - sampleMs),
        [5, 3, 2, 2, 1],
      );
      t.equal(new Set(pages.flat().map((row) => row.fingerprint)).size, 5);
      t.strictSame(await store.members("unknown", { limit: 2 }), { items: [], next_cursor: null });
    },
  ],
  [
    "each alert points to its newest incident",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      await recorder.commit({
        incidents: [incidentRow("new", { opened_ms: sampleMs + 5 }), incidentRow("old", { opened_ms: sampleMs })],
        members: [
          { incident_id: "new", member: member("f1") },
          { incident_id: "old", member: member("f1") },
          { incident_id: "old", member: member("f2") },
        ],
      });
      t.strictSame(
        await store.incidentsOfAlerts(["f1", "f2", "f3"]),
        new Map([
          ["f1", "new"],
          ["f2", "old"],
        ]),
      );
    },
  ],
  [
    "deliveries are filtered by state and destination, newest first, and counted",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      for (const id of ["a", "b", "c"]) {
        await recorder.commit({
          incidents: [incidentRow(id)],
          wishes: [wish(id), wish(id, { destination: "chat" })],
        });
      }
      const [leased] = await store.lease("chat", { token: "r", leaseMs: 1000, killMs: 0, limit: 1 });
      t.ok(leased);
      if (leased !== undefined) await store.settle(keyOf(leased), "r", { delivery_state: "parked" });
      const read = async (filter: object) =>
        (await walk((cursor) => store.deliveries({ ...filter, limit: 2, ...from(cursor) })))
          .flat()
          .map((row) => `${row.incident_id} ${row.destination}`);
      t.strictSame(await read({ destination: "snow" }), ["c snow", "b snow", "a snow"]);
      t.strictSame(await read({ states: ["parked"] }), ["a chat"]);
      t.strictSame(await read({ states: ["due", "parked"], destination: "chat" }), ["c chat", "b chat", "a chat"]);
      t.equal((await read({})).length, 6);
      t.strictSame(
        (await store.deliveriesOf(["b", "a", "unknown"])).map((row) => `${row.incident_id} ${row.destination}`),
        ["a chat", "a snow", "b chat", "b snow"],
      );
      t.strictSame((await store.counts()).deliveries, [
        { destination: "chat", state: "due", n: 2 },
        { destination: "chat", state: "parked", n: 1 },
        { destination: "snow", state: "due", n: 3 },
      ]);
    },
  ],
  [
    "dead letters come newest received first, by state, with cursors",
    async (t, place) => {
      const store = await place.connect();
      const recorder = await new Recorder(store).claim();
      const notes = [0, 1, 1, 2, 3].map((at, n) => deadLetter(`d${n}`, sampleMs + at));
      await recorder.commit({ dead_letters: notes });
      await recorder.commit({ dead_letters: [{ id: "d1", state: "discarded" }] });
      const read = async (filter: object) =>
        (await walk((cursor) => store.deadLetters({ ...filter, limit: 2, ...from(cursor) })))
          .flat()
          .map((row) => row.id);
      t.strictSame(await read({}), ["d4", "d3", "d2", "d1", "d0"]);
      t.strictSame(await read({ states: ["waiting"] }), ["d4", "d3", "d2", "d0"]);
      t.strictSame(await read({ states: ["discarded", "retried"] }), ["d1"]);
    },
  ],
  [
    "what is not there is null or empty",
    async (t, place) => {
      const store = await place.connect();
      t.equal(await store.incident("unknown"), null);
      t.strictSame(await store.timeline("unknown", 0, 10), []);
      t.strictSame(await store.deliveriesOf([]), []);
      t.strictSame(await store.incidentsOfAlerts([]), new Map());
      t.strictSame(await store.counts(), { incidents: [], deliveries: [] });
    },
  ],
];
