import t from "tap";
import type { Api } from "../torture/api.ts";
import { differences, type StateDigest, stateDigest } from "./digest.ts";

const incident = {
  id: "inc_1",
  rule: { id: "per-service" },
  group_key: [{ k: "service", v: "checkout" }],
  state: "new",
  opened_at: "2026-01-01T00:00:00.000Z",
  member_count: 1,
};
const alert = {
  fingerprint: "f1",
  incident_id: "inc_1",
  status: "firing",
  count: 3,
  first_seen_at: "2026-01-01T00:00:00.000Z",
  episode: { id: "ep_1", started_at: "2026-01-01T00:00:00.000Z", ended_at: null },
};
const accounting = { accepted: 3, in_flight: 0, outcomes: { opened: 1, duplicate: 2 } };

interface Changes {
  readonly incidents?: readonly object[];
  readonly alerts?: readonly object[];
  readonly accounting?: object;
}

function digestOf(changes: Changes): Promise<StateDigest> {
  const pages: Readonly<Record<string, unknown>> = {
    "/v1/incidents": changes.incidents ?? [incident],
    "/v1/alerts": changes.alerts ?? [alert],
  };
  return stateDigest({
    all: async (path: string) => pages[path],
    get: async () => ({ status: 200, value: { ...accounting, ...changes.accounting } }),
  } as unknown as Api);
}

await t.test("runs that decided the same at other times, under other ids, have one digest", async (t) => {
  const at = "2026-02-02T00:00:00.000Z";
  const other = await digestOf({
    incidents: [{ ...incident, id: "inc_9", opened_at: at }],
    alerts: [{ ...alert, incident_id: "inc_9", first_seen_at: at, episode: { ...alert.episode, id: "ep_9" } }],
  });
  const expected = await digestOf({});
  t.equal(other.sha256, expected.sha256);
  t.same(differences(expected, other), []);
});

await t.test("whatever a run lost, doubled or decided otherwise changes the digest, and is shown", async (t) => {
  const expected = await digestOf({});
  const faults: readonly (readonly [what: string, changes: Changes, shown: RegExp])[] = [
    ["an alert that is gone", { alerts: [] }, /^- \["alert"/],
    ["an alert in another state", { alerts: [{ ...alert, status: "resolved" }] }, /^\+ .*"resolved"/m],
    ["an alert that was counted twice", { alerts: [{ ...alert, count: 4 }] }, /^\+ \["alert"/m],
    ["an alert of no incident", { alerts: [{ ...alert, incident_id: null }] }, /^\+ \["alert",null/m],
    ["an incident with a member too many", { incidents: [{ ...incident, member_count: 2 }] }, /^\+ \["incident"/m],
    ["a second incident", { incidents: [incident, { ...incident, state: "resolved" }] }, /^\+ \["incident"/],
    ["an event too many", { accounting: { accepted: 4 } }, /^\+ \["accounting",4/m],
  ];
  for (const [what, changes, shown] of faults) {
    const found = await digestOf(changes);
    t.not(found.sha256, expected.sha256, what);
    t.match(differences(expected, found).join("\n"), shown, what);
  }
});
