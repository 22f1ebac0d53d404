import type { AlertEvent } from "@winnow/contracts";
import { PureEngine, type SampleEvent, sampleEvent } from "@winnow/testkit";
import fc from "fast-check";
import t from "tap";
import { rulesOf, second } from "./helpers.ts";

const rules = rulesOf(`
rules:
  - { id: trio, match: { title: { glob: "T*" } }, group_by: [service], min_alerts: 2, window: { type: rolling, gap: 60s }, hold: 5s }
  - { id: by-host, match: { severity: [critical, error] }, group_by: [host], window: { type: fixed, length: 90s, reopen: 20s }, resolve_delay: 10s }
  - { id: off, stage: off, group_by: [service] }
  - { id: by-service, match: { labels.name: { not: C } }, group_by: [service], hold: { P1: 0s, default: 15s } }
routes:
  - { match: { priority: [P1, P2, P3] }, to: [snow] }
  - { to: [log] }
`);

/** Without min_alerts: where a resolve and a fire meet in one moment, their order says whether a group ever was full. */
const withoutThreshold = rulesOf(`
rules:
  - { id: by-host, match: { severity: [critical, error] }, group_by: [host], window: { type: fixed, length: 90s, reopen: 20s }, resolve_delay: 10s }
  - { id: by-service, match: { labels.name: { not: C } }, group_by: [service], hold: { P1: 0s, default: 15s } }
`);

/** Scripts of what senders say about a few alerts; times rise. */
const step = fc.record({
  name: fc.constantFrom("A", "B", "C", "T1", "T2"),
  host: fc.constantFrom("h1", "h2"),
  service: fc.constantFrom("checkout", "ledger"),
  action: fc.constantFrom("fire", "fire", "fire", "resolve", "acknowledge", "comment"),
  severity: fc.constantFrom("critical", "warning"),
  pause: fc.constantFrom(0, 1, 5, 30, 100),
});
const script = fc.array(step, { minLength: 10, maxLength: 50, size: "max" });
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function eventsOf(steps: readonly Step[]): AlertEvent[] {
  let at = 1_000;
  return steps.map(({ pause, ...rest }) => {
    at += pause * second;
    return sampleEvent({
      ...(rest as SampleEvent),
      at,
      occurred_ms: at,
      identity: [{ k: "n", v: `${rest.name} ${rest.host} ${rest.service}` }],
    });
  });
}

/** Feeds the events as requests of the given sizes; what comes at one moment may come together. */
function run(events: readonly AlertEvent[], together: boolean, set = rules): PureEngine {
  const engine = new PureEngine(set);
  let batch: AlertEvent[] = [];
  const flush = (): void => {
    const [first] = batch;
    if (first === undefined) return;
    engine.pass(first.received_ms);
    engine.deliver(batch, first.received_ms);
    batch = [];
  };
  for (const event of events) {
    if (!together || batch[0]?.received_ms !== event.received_ms) flush();
    batch.push(event);
  }
  flush();
  engine.pass((events.at(-1)?.received_ms ?? 0) + 3_600_000);
  return engine;
}

/** What people would see, without ids that depend on positions. */
function picture(engine: PureEngine): unknown {
  return {
    incidents: [...engine.incidents.values()]
      .map(({ snapshot, destinations }) => {
        const { rule, state, group_key, severity, priority, opened_ms, resolved_ms, acknowledged_ms } = snapshot;
        const { member_count, open_member_count, self_healed, released, title } = snapshot;
        return {
          rule,
          state,
          group_key,
          severity,
          priority,
          opened_ms,
          resolved_ms,
          acknowledged_ms,
          member_count,
          open_member_count,
          self_healed,
          released,
          title,
          destinations,
        };
      })
      .toSorted(
        (left, right) => left.opened_ms - right.opened_ms || (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1),
      ),
    outcomes: engine.outcomes(),
  };
}

await t.test("the result does not depend on how alerts are split into requests", async (t) => {
  fc.assert(
    fc.property(script, (steps) => {
      const events = eventsOf(steps);
      t.same(picture(run(events, true)), picture(run(events, false)));
      return true;
    }),
    { numRuns: 150 },
  );
});

await t.test("every accepted event settles exactly once", async () => {
  fc.assert(
    fc.property(script, (steps) => {
      const engine = run(eventsOf(steps), true);
      const settled = Object.values(engine.outcomes()).reduce((sum, n) => sum + n, 0);
      return settled === steps.length && engine.inFlight() === 0;
    }),
    { numRuns: 200 },
  );
});

await t.test("a redelivery of what was just delivered changes no incident and no state", async (t) => {
  fc.assert(
    fc.property(script, fc.integer({ min: 0, max: 29 }), (steps, at) => {
      const events = eventsOf(steps).map((event) => ({
        ...event,
        episode_id: `e${event.occurred_ms}`,
        started_ms: event.occurred_ms ?? 0,
      }));
      const again = events.flatMap((event, index) => (index === at ? [event, event] : [event]));
      const once = picture(run(events, false)) as { incidents: unknown };
      const twice = picture(run(again, false)) as { incidents: unknown };
      t.same(twice.incidents, once.incidents);
      return true;
    }),
    { numRuns: 150 },
  );
});

await t.test("the order among different keys inside one moment changes no incident's members or end", async (t) => {
  fc.assert(
    fc.property(script, fc.integer(), (steps, seed) => {
      const events = eventsOf(steps);
      const turned = shuffledWithinMoments(events, seed);
      const sets = (engine: PureEngine): unknown =>
        [...engine.incidents.values()]
          .map(({ snapshot }) => ({
            group: snapshot.group_key,
            rule: snapshot.rule.id,
            opened: snapshot.opened_ms,
            state: snapshot.state,
            resolved: snapshot.resolved_ms,
            open: snapshot.open_member_count,
            members: [
              ...new Set(
                engine.members
                  .filter(({ incidentId }) => incidentId === snapshot.incident_id)
                  .map(({ member }) => member.fingerprint),
              ),
            ].toSorted(),
          }))
          .toSorted((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
      t.same(sets(run(turned, true, withoutThreshold)), sets(run(events, true, withoutThreshold)));
      return true;
    }),
    { numRuns: 150 },
  );
});

/** Events of one moment about different keys change places; those of one key keep their order. */
function shuffledWithinMoments(events: readonly AlertEvent[], seed: number): AlertEvent[] {
  const rank = (fingerprint: string): number => (Number.parseInt(fingerprint.slice(0, 6), 16) ^ seed) >>> 0;
  return events
    .map((event, index) => ({ event, index }))
    .toSorted(
      (left, right) =>
        left.event.received_ms - right.event.received_ms ||
        rank(left.event.fingerprint) - rank(right.event.fingerprint) ||
        left.index - right.index,
    )
    .map(({ event }) => event);
}

await t.test("why-not recomputed from the stored member equals the live decision", async (t) => {
  fc.assert(
    fc.property(script, (steps) => {
      const engine = run(eventsOf(steps), false);
      for (const { member } of engine.members) {
        const ruleId = member.reason.rule_id;
        if (ruleId === undefined) continue;
        const match = rules.match(member.alert);
        t.equal(match.rule.id, ruleId);
        const position = rules.set.rules.findIndex((rule) => rule.id === ruleId);
        t.same(
          rules.whyNot(member.alert).map((why) => why.rule_id),
          rules.set.rules.slice(0, position).map((rule) => rule.id),
        );
      }
      return true;
    }),
    { numRuns: 60 },
  );
});

await t.test("the same records give the same decisions", async (t) => {
  fc.assert(
    fc.property(script, (steps) => {
      const events = eventsOf(steps);
      const [left, right] = [run(events, true), run(events, true)];
      t.same([...left.incidents], [...right.incidents]);
      t.same(left.timeline, right.timeline);
      return true;
    }),
    { numRuns: 40 },
  );
});
