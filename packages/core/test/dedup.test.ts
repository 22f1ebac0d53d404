import { PureEngine, type SampleEvent, sampleEvent } from "@winnow/testkit";
import t from "tap";
import { minute, perService, rulesOf, second } from "./helpers.ts";

const rules = rulesOf(perService);
const fingerprint = sampleEvent().fingerprint;

function engineAfter(...events: readonly SampleEvent[]): PureEngine {
  const engine = new PureEngine(rules);
  for (const given of events) {
    const event = sampleEvent(given);
    engine.deliver([event], event.received_ms);
  }
  return engine;
}

await t.test("the same state reported again is a duplicate that only counts", async (t) => {
  const engine = engineAfter({ at: 1_000 }, { at: 2_000 }, { at: 3_000 });
  t.same(engine.outcomes(), { opened: 1, duplicate: 2 });
  t.match(engine.alert(fingerprint), { status: "firing", count: 3, first: 1_000, last: 3_000 });
  t.equal(engine.incidents.size, 1);
});

await t.test("a resolve closes the episode and a fire after it begins another", async (t) => {
  const engine = engineAfter({ at: 1_000 }, { action: "resolve", at: 2_000 }, { at: 3_000 });
  t.same(engine.outcomes(), { opened: 1, resolved: 1, joined: 1 });
  t.match(engine.alert(fingerprint), { status: "firing", count: 2 });
});

await t.test("a resolve repeated is a duplicate, one for an unknown alert is outdated and opens nothing", async (t) => {
  const twice = engineAfter({ at: 1_000 }, { action: "resolve", at: 2_000 }, { action: "resolve", at: 3_000 });
  t.same(twice.outcomes(), { opened: 1, resolved: 1, duplicate: 1 });
  const unknown = engineAfter({ action: "resolve", at: 1_000 });
  t.same(unknown.outcomes(), { outdated: 1 });
  t.equal(unknown.incidents.size, 0);
});

await t.test("a fire that comes after its own resolve, of the same named episode, opens nothing", async (t) => {
  const episode = { episode_id: "e1", started_ms: 500 };
  const engine = engineAfter(
    { ...episode, action: "resolve", occurred_ms: 900, at: 1_000 },
    { ...episode, occurred_ms: 500, at: 2_000 },
  );
  t.same(engine.outcomes(), { outdated: 2 });
  t.equal(engine.incidents.size, 0);
});

await t.test("a late resolve never closes a newer episode", async (t) => {
  const engine = engineAfter(
    { episode_id: "e1", started_ms: 100, occurred_ms: 100, at: 1_000 },
    { action: "resolve", episode_id: "e1", started_ms: 100, occurred_ms: 200, at: 2_000 },
    { episode_id: "e2", started_ms: 300, occurred_ms: 300, at: 3_000 },
    { action: "resolve", episode_id: "e1", started_ms: 100, occurred_ms: 200, at: 4_000 },
  );
  t.match(engine.alert(fingerprint), { status: "firing", episode: { id: "e2" } });
  t.equal(engine.outcomes().outdated, 1);
});

await t.test("a resolve without an episode but older than the open one is outdated", async (t) => {
  const engine = engineAfter(
    { started_ms: 5_000, occurred_ms: 5_000, at: 6_000 },
    { action: "resolve", occurred_ms: 4_000, at: 7_000 },
  );
  t.match(engine.alert(fingerprint), { status: "firing" });
});

await t.test(
  "a newer episode over an open one closes the old and opens the new, and the event settles once",
  async (t) => {
    const engine = engineAfter(
      { episode_id: "e1", started_ms: 100, occurred_ms: 100, at: 1_000 },
      { episode_id: "e2", started_ms: 300, occurred_ms: 300, at: 2_000 },
    );
    t.same(engine.outcomes(), { opened: 1, joined: 1 });
    t.equal(engine.inFlight(), 0);
    const changes = engine.timeline.map(({ entry }) => entry.kind);
    t.ok(changes.includes("member_resolved"), "the old episode ended in the incident's story");
  },
);

await t.test("a fire of an older episode while a newer one is open changes nothing", async (t) => {
  const engine = engineAfter(
    { episode_id: "e2", started_ms: 300, occurred_ms: 300, at: 1_000 },
    { episode_id: "e1", started_ms: 100, occurred_ms: 100, at: 2_000 },
  );
  t.match(engine.alert(fingerprint), { episode: { id: "e2" } });
  t.same(engine.outcomes(), { opened: 1, outdated: 1 });
});

await t.test("a change of severity is an update, a late one is outdated", async (t) => {
  const engine = engineAfter(
    { severity: "warning", occurred_ms: 1_000, at: 1_000 },
    { severity: "critical", occurred_ms: 3_000, at: 3_000 },
    { severity: "warning", occurred_ms: 2_000, at: 4_000 },
  );
  t.same(engine.outcomes(), { opened: 1, updated: 1, outdated: 1 });
  t.equal(engine.alert(fingerprint)?.severity, "critical");
});

await t.test("acknowledge, suppress and comment set flags and lines, never the status", async (t) => {
  const engine = engineAfter(
    { at: 1_000 },
    { action: "acknowledge", at: 2_000 },
    { action: "acknowledge", at: 3_000 },
    { action: "comment", description: "looking", at: 4_000 },
  );
  t.match(engine.alert(fingerprint), { status: "firing", flags: { acknowledged: true } });
  t.same(engine.outcomes(), { opened: 1, updated: 2, duplicate: 1 });
});

await t.test("tests, heartbeats, changes and handshakes open nothing and are counted", async (t) => {
  const engine = engineAfter(
    { kind: "test", at: 1_000 },
    { kind: "heartbeat", at: 2_000 },
    { kind: "control", at: 3_000 },
    { kind: "change", at: 4_000 },
  );
  t.same(engine.outcomes(), { non_alert: 4 });
  t.equal(engine.incidents.size, 0);
});

await t.test("past its expiry an alert is stale, not resolved, while its integration is silent", async (t) => {
  const engine = engineAfter({ at: minute, expires_ms: 2 * minute });
  engine.pass(10 * minute);
  t.match(engine.alert(fingerprint), { status: "firing", flags: { stale: true } });
  t.equal([...engine.incidents.values()][0]?.snapshot.state, "new");
});

await t.test("a stale alert is resolved as expired once its integration delivered after the deadline", async (t) => {
  const engine = engineAfter({ at: minute, expires_ms: 2 * minute });
  engine.pass(10 * minute, { delivered: { prom: 3 * minute } });
  t.match(engine.alert(fingerprint), { status: "resolved", resolveReason: "expired" });
  t.equal([...engine.incidents.values()][0]?.snapshot.state, "resolved");
  t.same(engine.outcomes(), { opened: 1 }, "timers settle nothing");
});

await t.test("time in which Winnow was away does not count against the sender", async (t) => {
  const engine = engineAfter({ at: minute, expires_ms: 2 * minute });
  const back = 30 * minute;
  engine.pass(back + 30 * second, { readySince: back, delivered: { prom: back + second } });
  t.match(engine.alert(fingerprint), { status: "firing", nextStaleCheck: null }, "a full window after the return");
  engine.pass(back + 10 * minute, { readySince: back, delivered: { prom: back + 5 * minute } });
  t.match(engine.alert(fingerprint), { status: "resolved", resolveReason: "expired" });
});

await t.test("a refresh moves the deadline and clears staleness", async (t) => {
  const engine = engineAfter({ at: minute, expires_ms: 2 * minute });
  engine.pass(3 * minute);
  const refresh = sampleEvent({ at: 4 * minute, expires_ms: 9 * minute });
  engine.deliver([refresh], refresh.received_ms);
  t.match(engine.alert(fingerprint), { status: "firing", expires: 9 * minute, flags: { stale: false } });
  engine.pass(8 * minute, { delivered: { prom: 8 * minute } });
  t.equal(engine.alert(fingerprint)?.status, "firing");
});

await t.test("a resolved alert is forgotten after its memory, and its detail with it", async (t) => {
  const engine = engineAfter({ at: 1_000 }, { action: "resolve", at: 2_000 });
  engine.pass(25 * 60 * minute);
  t.equal(engine.alert(fingerprint), undefined);
  t.equal(engine.detail(fingerprint), undefined);
});

await t.test(
  "an acknowledgement of an alert whose fire was missed opens it; of a resolved one it is outdated",
  async (t) => {
    const missed = engineAfter({ action: "acknowledge", at: 1_000 });
    t.same(missed.outcomes(), { opened: 1 });
    t.match(missed.alert(fingerprint), { status: "firing", flags: { acknowledged: true } });
    const over = engineAfter(
      { at: 1_000 },
      { action: "resolve", at: 2_000 },
      { action: "comment", status: "resolved", at: 3_000 },
    );
    t.same(over.outcomes(), { opened: 1, resolved: 1, outdated: 1 });
  },
);

await t.test(
  "a fire of a closed episode is an echo shortly after its end and the alert being back later",
  async (t) => {
    const episode = { episode_id: "e1", started_ms: 500, occurred_ms: 500 };
    const resolve = { ...episode, action: "resolve" as const, occurred_ms: 60_000, at: 60_000 };
    const echo = engineAfter({ ...episode, at: 1_000 }, resolve, { ...episode, at: 70_000 });
    t.equal(echo.alert(fingerprint)?.status, "resolved");
    const back = engineAfter({ ...episode, at: 1_000 }, resolve, { ...episode, at: 10 * minute });
    t.equal(back.alert(fingerprint)?.status, "firing");
  },
);

await t.test("an alert that expired here is open again as soon as its sender repeats it", async (t) => {
  const episode = { episode_id: "e1", started_ms: 500, occurred_ms: 500 };
  const engine = engineAfter({ ...episode, at: minute, expires_ms: 2 * minute });
  engine.pass(3 * minute, { delivered: { prom: 150 * second } });
  t.match(engine.alert(fingerprint), { status: "resolved", resolveReason: "expired" });
  const again = sampleEvent({ ...episode, at: 3 * minute + second, expires_ms: 5 * minute });
  engine.deliver([again], again.received_ms);
  t.equal(engine.alert(fingerprint)?.status, "firing");
});
