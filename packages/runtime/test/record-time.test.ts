import type { EventsRecord, LogValue } from "@winnow/contracts";
import { sampleEvent } from "@winnow/testkit";
import t from "tap";
import { onLogTime, timeOf } from "../src/record-time.ts";

const appended = 1_000_000;

function events(receivedMs: number): EventsRecord {
  const items = [sampleEvent({ at: receivedMs })];
  return { kind: "events", receiver_id: "r", seq: 1, received_ms: receivedMs, items };
}

function time(value: LogValue, ageMs?: number): number {
  return timeOf({ offset: 3, appended_ms: appended, value, ...(ageMs === undefined ? {} : { age_ms: ageMs }) });
}

await t.test("an alert is as old as its receiver says when the log takes it, whatever its clock shows", async (t) => {
  t.equal(time(events(appended + 600_000), 40), appended - 40);
  t.equal(time(events(appended - 600_000), 40), appended - 40);
  t.equal(time(events(appended - 7)), appended - 7, "in one process its clock is the log's");
});

await t.test("what a process writes with a clock that is ahead counts from when the log took it", async (t) => {
  const tick = (at: number) => ({ kind: "tick" as const, at_ms: at, ready_since_ms: 0, delivered_ms: {} });
  t.equal(time(tick(appended + 5_000)), appended);
  t.equal(time(tick(appended - 5_000)), appended - 5_000);
  t.equal(time({ kind: "actions", at_ms: appended + 5_000, items: [] }), appended);
  t.equal(time({ kind: "rules", at_ms: appended + 5_000, generation: 1, digest: "" }), appended);
});

await t.test("outputs carry the clock that decided them", async (t) => {
  t.equal(time({ kind: "outputs", stage: "A", partition: 0, at_ms: appended + 5_000, items: [] }), appended + 5_000);
});

await t.test(
  "receipts of a receiver whose clock is off are put on the log's clock, others are left alone",
  async (t) => {
    const inStep = events(appended - 900);
    t.equal(onLogTime(inStep, appended), inStep);
    for (const offMs of [600_000, -600_000]) {
      const skewed = onLogTime(events(appended + offMs), appended);
      t.equal(skewed.received_ms, appended);
      t.match(skewed.items, [{ received_ms: appended }]);
    }
  },
);
