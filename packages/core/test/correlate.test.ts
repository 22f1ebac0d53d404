import type { IncidentRecord } from "@winnow/core";
import { PureEngine, type SampleEvent, sampleEvent } from "@winnow/testkit";
import t from "tap";
import { minute, perService, rulesOf, second } from "./helpers.ts";

function engineWith(yaml: string, ...events: readonly SampleEvent[]): PureEngine {
  const engine = new PureEngine(rulesOf(yaml));
  deliver(engine, ...events);
  return engine;
}

function deliver(engine: PureEngine, ...events: readonly SampleEvent[]): void {
  for (const given of events) {
    const event = sampleEvent(given);
    engine.pass(event.received_ms);
    engine.deliver([event], event.received_ms);
  }
}

function incidentsOf(engine: PureEngine): IncidentRecord[] {
  return [...engine.incidents.values()].toSorted((left, right) => left.snapshot.number - right.snapshot.number);
}

function only(engine: PureEngine): IncidentRecord["snapshot"] {
  const [first, ...rest] = incidentsOf(engine);
  if (first === undefined || rest.length > 0) throw new Error(`expected one incident, got ${engine.incidents.size}`);
  return first.snapshot;
}

function ruleWith(settings: string): string {
  return `rules:\n  - { id: r, group_by: [service], hold: 0s, ${settings} }\nroutes:\n  - { to: [snow] }\n`;
}

await t.test("alerts of one group share an incident, others get their own", async (t) => {
  const engine = engineWith(
    perService,
    { name: "A", at: 1_000 },
    { name: "B", at: 2_000 },
    { name: "C", service: "ledger", at: 3_000 },
  );
  const [first, second] = incidentsOf(engine);
  t.match(first?.snapshot, {
    number: 1,
    title: "checkout: A",
    member_count: 2,
    open_member_count: 2,
    service: "checkout",
  });
  t.match(second?.snapshot, { number: 2, title: "ledger: C", member_count: 1 });
  t.match(first?.snapshot, { category: "software", assignment_group: "platform", state: "new" });
});

await t.test("every decision carries its rule, the set's digest, a reason and evidence", async (t) => {
  const engine = engineWith(perService, { name: "A", at: 1_000 }, { name: "B", at: 2_000 });
  const reasons = engine.timeline.map(({ entry }) => entry.reason);
  t.match(reasons[0], { code: "rule_opened", rule_id: "per-service", evidence: { group_key: ["service=checkout"] } });
  t.equal(reasons[0]?.rule_digest, rulesOf(perService).digest);
  t.ok(reasons.some(({ code }) => code === "rule_joined"));
  t.ok(engine.members.every(({ member }) => member.reason.rule_id === "per-service"));
});

await t.test("the first matching rule groups the alert and a rule in shadow never does", async (t) => {
  const yaml = `
rules:
  - { id: shadowed, stage: shadow, match: { service: checkout }, group_by: [host] }
  - { id: second, match: { service: checkout }, group_by: [service] }
  - { id: third, group_by: [host] }
`;
  t.equal(only(engineWith(yaml, { at: 1_000 })).rule.id, "second");
});

await t.test("the catch-all takes what no rule took", async (t) => {
  const engine = engineWith("rules:\n  - { id: r, match: { service: other }, group_by: [service] }\n", { at: 1_000 });
  t.equal(only(engine).rule.id, "catch-all");
});

await t.test("a missing group field separates, skips or shares as the rule says", async (t) => {
  const bare = { service: undefined as unknown as string };
  const event = (name: string, at: number) => {
    const { service: _gone, ...rest } = sampleEvent({ name, at, ...bare, labels: {} });
    return rest as ReturnType<typeof sampleEvent>;
  };
  const count = (onMissing: string) => {
    const engine = new PureEngine(
      rulesOf(`rules:\n  - { id: r, group_by: [service], on_missing: ${onMissing}, hold: 0s }\n`),
    );
    engine.deliver([event("A", 1_000)], 1_000);
    engine.deliver([event("B", 2_000)], 2_000);
    return incidentsOf(engine).map(({ snapshot }) => snapshot.rule.id);
  };
  t.same(count("separate"), ["r", "r"]);
  t.same(count("shared"), ["r"]);
  t.same(count("skip"), ["catch-all", "catch-all"]);
});

await t.test("an incident resolves when its last member does, after the resolve delay", async (t) => {
  const yaml = ruleWith("resolve_delay: 30s");
  const engine = engineWith(
    yaml,
    { name: "A", at: 1_000 },
    { name: "B", at: 2_000 },
    { name: "A", action: "resolve", at: 3_000 },
    { name: "B", action: "resolve", at: 4_000 },
  );
  engine.pass(33 * second);
  t.equal(only(engine).state, "new", "the delay still runs");
  engine.pass(34 * second);
  t.match(only(engine), { state: "resolved", resolved_ms: 34 * second, open_member_count: 0 });
});

await t.test("a member that fires again inside the resolve delay keeps the incident open", async (t) => {
  const engine = engineWith(
    ruleWith("resolve_delay: 30s"),
    { at: 1_000 },
    { action: "resolve", at: 3_000 },
    { at: 10_000 },
  );
  engine.pass(2 * minute);
  t.match(only(engine), { state: "new", open_member_count: 1, member_count: 1 });
});

await t.test("inside hold no ticket is wished for, and an incident that ends there is self-healed", async (t) => {
  const yaml = "rules:\n  - { id: r, group_by: [service], hold: 60s }\nroutes:\n  - { to: [snow] }\n";
  const held = engineWith(yaml, { at: 1_000 });
  held.pass(60 * second);
  t.same(held.wishes, []);
  held.pass(61 * second);
  t.match(held.wishes, [{ destination: "snow", urgent: true }]);
  const healed = engineWith(yaml, { at: 1_000 }, { action: "resolve", at: 20_000 });
  healed.pass(10 * minute);
  t.same(healed.wishes, []);
  t.match(only(healed), { state: "resolved", self_healed: true });
});

await t.test("hold by priority: a rise to P1 releases at once", async (t) => {
  const yaml = `
rules:
  - { id: r, group_by: [service], hold: { P1: 0s, default: 60s }, incident: { impact: high } }
routes:
  - { to: [snow] }
`;
  const engine = engineWith(yaml, { severity: "warning", at: 1_000 });
  t.same(engine.wishes, []);
  deliver(engine, { severity: "critical", at: 5_000 });
  t.match(engine.wishes, [{ priority: "P1" }]);
});

await t.test("an incident that healed inside its hold waits its hold again when it comes back", async (t) => {
  const yaml = "rules:\n  - { id: r, group_by: [service], hold: 60s }\nroutes:\n  - { to: [snow] }\n";
  const engine = engineWith(yaml, { at: 1_000 }, { action: "resolve", at: 20_000 }, { at: 5 * minute });
  t.match(only(engine), { state: "new", released: false });
  deliver(engine, { action: "resolve", at: 5 * minute + 20_000 });
  engine.pass(7 * minute);
  t.same(engine.wishes, [], "it flaps, and no flap lasts");
  t.match(only(engine), { state: "resolved", self_healed: true });
  deliver(engine, { at: 8 * minute });
  engine.pass(9 * minute - 1);
  t.same(engine.wishes, []);
  engine.pass(9 * minute);
  t.match(engine.wishes, [{ destination: "snow" }], "until one does");
});

await t.test("what has no firing member left is not released while its resolve delay runs", async (t) => {
  const yaml =
    "rules:\n  - { id: r, group_by: [service], hold: 60s, resolve_delay: 5m }\nroutes:\n  - { to: [snow] }\n";
  const healed = engineWith(yaml, { at: 1_000 }, { action: "resolve", at: 20_000 });
  healed.pass(10 * minute);
  t.same(healed.wishes, []);
  t.match(only(healed), { state: "resolved", self_healed: true });
  const back = engineWith(yaml, { at: 1_000 }, { action: "resolve", at: 20_000 }, { at: 2 * minute });
  t.match(back.wishes, [{ destination: "snow" }], "one that fires again after the hold is");
});

await t.test("an incident is not forgotten while a member of it fires, whoever resolved it", async (t) => {
  const engine = engineWith(perService, { name: "A", at: 1_000 }, { name: "B", at: 1_000 });
  const { incident_id } = only(engine);
  engine.act({ action_id: "a", incident_id, action: "resolve", actor: "ann", text: "" }, 2_000);
  engine.pass(60 * minute);
  deliver(
    engine,
    { name: "A", action: "resolve", at: 61 * minute },
    { name: "B", action: "resolve", at: 300 * minute },
  );
  t.match(only(engine), { state: "resolved", open_member_count: 0 });
  engine.pass(20 * 60 * minute);
  deliver(engine, { name: "A", at: 21 * 60 * minute });
  t.equal(engine.incidents.size, 2);
  t.equal(incidentsOf(engine)[1]?.snapshot.previous_id, null, "afterwards it is");
});

await t.test("within the reopen time the same incident opens again, later a linked successor does", async (t) => {
  const engine = engineWith(perService, { at: 1_000 }, { action: "resolve", at: 2_000 }, { at: 5 * minute });
  t.match(only(engine), { state: "new", number: 1, resolved_ms: null });
  deliver(engine, { action: "resolve", at: 6 * minute }, { at: 6 * minute + 10 * minute + 1 });
  const [first, second] = incidentsOf(engine);
  t.equal(first?.snapshot.state, "resolved");
  t.equal(second?.snapshot.previous_id, first?.snapshot.incident_id);
});

await t.test("max_alerts and max_age end a group: the next alert opens another incident", async (t) => {
  const small = engineWith(
    ruleWith("window: { type: until_resolved, max_alerts: 2 }"),
    { name: "A", at: 1_000 },
    { name: "B", at: 2_000 },
    { name: "C", at: 3_000 },
  );
  t.same(
    incidentsOf(small).map(({ snapshot }) => snapshot.member_count),
    [2, 1],
  );
  const old = engineWith(
    ruleWith("window: { type: until_resolved, max_age: 10m }"),
    { name: "A", at: 1_000 },
    { name: "B", at: 11 * minute },
  );
  t.equal(incidentsOf(old).length, 2);
});

await t.test("a fixed window closes after its length, a rolling one after its gap", async (t) => {
  const fixed = engineWith(
    ruleWith("window: { type: fixed, length: 5m }"),
    { name: "A", at: second },
    { name: "B", at: 4 * minute },
    { name: "C", at: 6 * minute },
  );
  t.same(
    incidentsOf(fixed).map(({ snapshot }) => snapshot.member_count),
    [2, 1],
  );
  const rolling = engineWith(
    ruleWith("window: { type: rolling, gap: 5m }"),
    { name: "A", at: second },
    { name: "B", at: 4 * minute },
    { name: "C", at: 8 * minute },
    { name: "D", at: 14 * minute },
  );
  t.same(
    incidentsOf(rolling).map(({ snapshot }) => snapshot.member_count),
    [3, 1],
  );
});

await t.test(
  "below min_alerts alerts wait; the one that fills the group opens the incident with all of them",
  async (t) => {
    const yaml = ruleWith("min_alerts: 3, window: { type: rolling, gap: 5m }");
    const engine = engineWith(yaml, { name: "A", at: 1_000 }, { name: "B", at: 2_000 });
    t.equal(engine.incidents.size, 0);
    t.same(engine.outcomes(), { pending: 2 });
    deliver(engine, { name: "C", at: 3_000 });
    t.match(only(engine), { member_count: 3, open_member_count: 3 });
    t.same(engine.outcomes(), { pending: 2, opened: 1 });
  },
);

await t.test("an alert that resolves while it waits no longer counts", async (t) => {
  const yaml = ruleWith("min_alerts: 2, window: { type: rolling, gap: 5m }");
  const engine = engineWith(
    yaml,
    { name: "A", at: 1_000 },
    { name: "A", action: "resolve", at: 2_000 },
    { name: "B", at: 3_000 },
  );
  t.equal(engine.incidents.size, 0);
  t.same(engine.outcomes(), { pending: 2, resolved: 1 });
});

await t.test("waiting alerts are let go after the window", async (t) => {
  const yaml = ruleWith("min_alerts: 2, window: { type: rolling, gap: 5m }");
  const engine = engineWith(yaml, { name: "A", at: 1_000 }, { name: "B", at: 10 * minute });
  t.equal(engine.incidents.size, 0);
});

await t.test("impact and urgency make the priority, and the inputs are kept", async (t) => {
  const engine = engineWith(perService, { severity: "critical", at: 1_000 });
  t.match(only(engine), {
    impact: "medium",
    urgency: "high",
    priority: "P2",
    priority_inputs: { impact_from: "rule", urgency_from: "severity critical", severity: "critical" },
  });
});

await t.test("the worst severity since opening stays until the incident opens again", async (t) => {
  const engine = engineWith(
    perService,
    { name: "A", severity: "critical", at: 1_000 },
    { name: "B", severity: "warning", at: 2_000 },
    { name: "A", severity: "critical", action: "resolve", at: 3_000 },
  );
  t.match(only(engine), { severity: "critical", priority: "P2" });
  deliver(
    engine,
    { name: "B", severity: "warning", action: "resolve", at: 4_000 },
    { name: "B", severity: "warning", at: 5_000 },
  );
  t.match(only(engine), { state: "new", severity: "warning" });
});

await t.test("a person acknowledges once, notes, resolves; the same action id acts once", async (t) => {
  const engine = engineWith(perService, { at: 1_000 });
  const incident_id = only(engine).incident_id;
  const action = { incident_id, actor: "ann", text: "on it" };
  engine.act({ ...action, action_id: "1", action: "ack" }, 2_000);
  engine.act({ ...action, action_id: "1", action: "ack" }, 3_000);
  t.match(only(engine), { state: "acknowledged", acknowledged_ms: 2_000 });
  engine.act({ ...action, action_id: "2", action: "note" }, 4_000);
  engine.act({ ...action, action_id: "3", action: "resolve" }, 5_000);
  t.match(only(engine), { state: "resolved", open_member_count: 1 });
  engine.act({ ...action, action_id: "4", action: "ack" }, 6_000);
  const kinds = engine.timeline.map(({ entry }) => entry.kind);
  t.equal(kinds.filter((kind) => kind === "acknowledged").length, 1);
  t.ok(kinds.includes("noted") && kinds.includes("action_refused"));
  t.same(engine.incidents.get(incident_id)?.action_ids, ["1", "2", "3", "4"]);
});

await t.test("a person's resolve is undone by a new episode, not by a repeat of the old one", async (t) => {
  const engine = engineWith(perService, { episode_id: "e1", started_ms: 1, at: 1_000 });
  const incident_id = only(engine).incident_id;
  engine.act({ incident_id, action_id: "1", action: "resolve", actor: "ann", text: "" }, 2_000);
  deliver(engine, { episode_id: "e1", started_ms: 1, at: 3_000 });
  t.equal(only(engine).state, "resolved");
  deliver(engine, { episode_id: "e2", started_ms: 4_000, occurred_ms: 4_000, at: 5_000 });
  t.match(only(engine), { state: "new", open_member_count: 1 });
});

await t.test("a note for an incident that correlation has forgotten is kept in its record", async (t) => {
  const engine = engineWith(perService, { at: 1_000 }, { action: "resolve", at: 2_000 });
  engine.pass(3 * 60 * minute);
  const incident_id = only(engine).incident_id;
  engine.act({ incident_id, action_id: "n", action: "note", actor: "ann", text: "post mortem" }, 4 * 60 * minute);
  t.match(engine.timeline.at(-1)?.entry, { kind: "noted", text: "post mortem", actor: "ann" });
  t.same(engine.incidents.get(incident_id)?.action_ids, ["n"]);
});

await t.test("open incidents keep the settings they were opened with; new alerts match the newest rules", async (t) => {
  const engine = engineWith(ruleWith("resolve_delay: 0s"), { name: "A", at: 1_000 });
  engine.useRules(rulesOf(ruleWith("resolve_delay: 1h")));
  deliver(
    engine,
    { name: "B", at: 2_000 },
    { name: "A", action: "resolve", at: 3_000 },
    { name: "B", action: "resolve", at: 4_000 },
  );
  t.equal(only(engine).state, "resolved", "the delay of the rule that opened it");
  t.match(engine.members.at(1)?.member.reason.rule_digest, rulesOf(ruleWith("resolve_delay: 1h")).digest);
});

await t.test("an alert that a changed rule sends elsewhere does not keep its former incident open", async (t) => {
  const engine = engineWith(ruleWith("resolve_delay: 0s"), { severity: "warning", at: 1_000 });
  const former = only(engine).incident_id;
  engine.act({ incident_id: former, action_id: "1", action: "resolve", actor: "ann", text: "" }, 2_000);
  engine.useRules(rulesOf("rules:\n  - { id: other, group_by: [host], hold: 0s }\n"));
  deliver(engine, { severity: "critical", at: 3_000 });
  t.equal(engine.incidents.get(former)?.snapshot.open_member_count, 0);
  t.equal(engine.incidents.size, 2);
});

await t.test("an incident without a route is recorded and says so", async (t) => {
  const yaml =
    "rules:\n  - { id: r, group_by: [service], hold: 0s }\nroutes:\n  - { match: { priority: P1 }, to: [snow] }\n";
  const engine = engineWith(yaml, { severity: "info", at: 1_000 });
  t.same(engine.wishes, []);
  t.ok(engine.timeline.some(({ entry }) => entry.reason.code === "no_route"));
});

await t.test("what is over is forgotten whole: incident, group and members leave no state behind", async (t) => {
  const waiting = "min_alerts: 2, window: { type: rolling, gap: 5m, reopen: 10m }";
  const engine = engineWith(
    ruleWith(waiting),
    { name: "A", at: 1_000 },
    { name: "B", at: 2_000 },
    { name: "A", action: "resolve", at: 3_000 },
    { name: "B", action: "resolve", at: 4_000 },
    { name: "C", service: "ledger", at: 5_000 },
  );
  engine.pass(3 * 60 * minute);
  t.same([...engine.correlate.states.keys()], ["n:default"], "only the running number stays");
});

await t.test("alerts that still wait after one of them resolved are let go in time", async (t) => {
  const yaml = ruleWith("min_alerts: 3, window: { type: rolling, gap: 5m }");
  const engine = engineWith(
    yaml,
    { name: "A", at: 1_000 },
    { name: "B", at: 2_000 },
    { name: "A", action: "resolve", at: 3_000 },
  );
  engine.pass(10 * minute);
  t.same([...engine.correlate.states.keys()], []);
});

await t.test("a priority that lasts for one moment still reaches the destinations of its route", async (t) => {
  const yaml = `
rules:
  - { id: r, group_by: [service], hold: 0s }
routes:
  - { match: { priority: [P1, P2] }, to: [snow] }
  - { to: [log] }
`;
  const engine = new PureEngine(rulesOf(yaml));
  engine.deliver(
    [sampleEvent({ name: "A", severity: "info" }), sampleEvent({ name: "B", severity: "critical" })],
    1_000,
  );
  t.same([...engine.incidents.values()][0]?.destinations, ["log", "snow"]);
});
