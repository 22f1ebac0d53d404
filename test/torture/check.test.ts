import t from "tap";
import type { Api } from "./api.ts";
import { type Evidence, judge } from "./check.ts";
import type { Attempt, Outcome, StepItem } from "./history.ts";
import { messageKey } from "./log-search.ts";
import { fatesOf } from "./model.ts";

const correlationId = "winnow:d:inc_1:snow:1";

function step(kind: StepItem["kind"], episode: number, tid = "t1"): StepItem {
  return { tid, app: "gold-1", kind, episode, at: episode * 10_000 + (kind === "resolve" ? 5_000 : 0) };
}

function attempt(send: string, items: readonly StepItem[], outcome: Outcome = "acked", door = "a"): Attempt {
  const stored = outcome === "acked" ? items.length : 0;
  return { send, tool: "nagios", door, items, junk: 0, outcome, status: null, retryAfter: null, stored, t: 0, ms: 0 };
}

const delivery = { delivery_state: "idle", desired_version: 2, applied_version: 2, remote_id: "A" };
const incident = {
  id: "inc_1",
  state: "resolved",
  group_key: [{ k: "labels.app", v: "gold-1" }],
  member_count: 1,
  open_member_count: 0,
  deliveries: [delivery],
};
const alert = { labels: { tid: ["t1"] }, status: "resolved" };
const pages: Readonly<Record<string, readonly unknown[]>> = {
  "/v1/incidents": [incident],
  "/v1/alerts": [alert],
  "/v1/incidents/inc_1/members": [{ ...alert, episode: { id: "e1" } }],
  "/v1/incidents/inc_1/timeline": [
    { seq: 1, kind: "opened" },
    { seq: 2, kind: "delivery" },
    { seq: 3, kind: "resolved" },
  ],
  "/v1/dead-letters": [],
};
const accounting = { accepted: 2, in_flight: 0, outcomes: { opened: 1, resolved: 1 } };
const row = { by: "api", sys_id: "A", correlation_id: correlationId };
const ledger = [
  { ...row, seq: 1, op: "create", state: "1" },
  { ...row, seq: 2, op: "note", text: "[winnow #1] opened" },
  { ...row, seq: 3, op: "note", text: "[winnow #3] resolved\n  [winnow #9] quoted by a person" },
  { ...row, seq: 4, op: "resolve", state: "6" },
];
const history = [attempt("s1", [step("fire", 1)]), attempt("s2", [step("resolve", 1)])];
const messages: readonly (readonly [string, number])[] = [
  [messageKey("s1", "t1"), 1],
  [messageKey("s2", "t1"), 1],
];

interface Changes {
  readonly history?: readonly Attempt[];
  readonly messages?: readonly (readonly [string, number])[];
  readonly pages?: Readonly<Record<string, readonly unknown[]>>;
  readonly accounting?: object;
  readonly ledger?: Evidence["ledger"];
  /** A cluster is judged without its log, and its receivers keep no order among each other. */
  readonly isCluster?: boolean;
}

async function problemsOf(changes: Changes): Promise<readonly string[]> {
  const shown = { ...pages, ...changes.pages };
  const api = {
    get: async (path: string) =>
      path === "/v1/accounting" ? { status: 200, value: { ...accounting, ...changes.accounting } } : { status: 404 },
    all: async (path: string) => shown[path] ?? [],
  } as unknown as Api;
  const log = { messages: new Map(changes.messages ?? messages), fingerprints: new Map<string, string>() };
  const evidence = { history: changes.history ?? history, api, ledger: changes.ledger ?? ledger };
  const inMode = changes.isCluster === true ? { log: null, order: "doors" as const } : { log };
  return (await judge({ ...evidence, ...inMode })).problems;
}

await t.test("what fits is found to fit", async (t) => {
  t.same(await problemsOf({}), []);
});

const faults: readonly (readonly [what: string, changes: Changes, problem: RegExp])[] = [
  ["a message that is gone", { messages: messages.slice(1) }, /lost: s1 t1/],
  ["a message twice in the log", { messages: [...messages, [messageKey("s2", "t1"), 2]] }, /doubled: s2 t1/],
  ["a message that nobody sent", { messages: [...messages, [messageKey("s3", "t1"), 1]] }, /invented/],
  ["an alert that is not found", { pages: { "/v1/alerts": [] } }, /t1 was acknowledged and is not found/],
  ["an alert in a wrong state", { pages: { "/v1/alerts": [{ ...alert, status: "firing" }] } }, /t1 is firing/],
  ["an alert that is no member", { pages: { "/v1/incidents/inc_1/members": [] } }, /t1 is no member/],
  ["an app without an incident", { pages: { "/v1/incidents": [] } }, /app gold-1 has no incident/],
  ["two incidents of one app", { pages: { "/v1/incidents": [incident, incident] } }, /more than one incident/],
  ["an event that hangs", { accounting: { in_flight: 1 } }, /1 events are in flight/],
  ["an event counted twice", { accounting: { accepted: 3, outcomes: { opened: 3 } } }, /accepted 3, acknowledged 2/],
  ["a doubled ticket", { ledger: [...ledger, { ...row, seq: 5, op: "create", sys_id: "B" }] }, /two tickets carry/],
  ["a ticket that is missing", { ledger: [] }, /its ticket A is not in the ledger/],
  ["a ticket in a wrong state", { ledger: ledger.slice(0, 3) }, /resolved, but its ticket is in state 1/],
  ["a note told twice", { ledger: [...ledger, ...ledger.slice(2, 3)] }, /note 3 comes after 3/],
  ["a note that is missing", { ledger: ledger.filter(({ seq }) => seq !== 2) }, /notes 1 of 2 are missing/],
  [
    "no ticket for what is routed at once",
    { pages: { "/v1/incidents": [{ ...incident, deliveries: [] }] }, ledger: [] },
    /no ticket is desired/,
  ],
  [
    "a delivery that is behind",
    { pages: { "/v1/incidents": [{ ...incident, deliveries: [{ ...delivery, applied_version: 1 }] }] } },
    /applied 1 of 2/,
  ],
  [
    "junk that is no dead letter",
    { history: [...history, { ...attempt("s4", []), junk: 1 }], messages: [...messages, ["s4 junk", 1]] },
    /junk s4/,
  ],
];

await t.test("every kind of fault is seen", async (t) => {
  for (const [what, changes, problem] of faults) t.match((await problemsOf(changes)).join("\n"), problem, what);
});

await t.test("of a cluster every kind of fault is seen without its log", async (t) => {
  t.same(await problemsOf({ isCluster: true }), [], "what fits is found to fit");
  const inLog = faults.filter(([, changes]) => changes.messages === undefined);
  t.ok(inLog.length >= 14);
  for (const [what, changes, problem] of inLog) {
    t.match((await problemsOf({ ...changes, isCluster: true })).join("\n"), problem, what);
  }
});

await t.test("of a cluster an acknowledged alert that was dropped is seen, whatever is left of it", async (t) => {
  // Another alert of the same app: its incident and its ticket are there, one member is not.
  const dropped = step("fire", 1, "t2");
  const problems = await problemsOf({ isCluster: true, history: [...history, attempt("s3", [dropped])] });
  t.match(problems.join("\n"), /t2 was acknowledged and is not found/, "it is in no list");
  t.match(problems.join("\n"), /alert t2 is no member/, "it is in no incident");
  t.match(problems.join("\n"), /accepted 2, acknowledged 3/, "it was not counted");
});

await t.test("messages at several receivers may arrive in any order, at one in theirs", (t) => {
  const fate = (attempts: readonly Attempt[]): string => {
    const found = fatesOf(attempts, "doors").get("t1");
    return `${[...(found?.statuses ?? [])].toSorted().join("|")} joined ${found?.joined}`;
  };
  const [fire1, resolve1, fire2] = [step("fire", 1), step("resolve", 1), step("fire", 2)];
  const atB = (send: string, item: StepItem, outcome: Outcome = "acked") => attempt(send, [item], outcome, "b");
  t.equal(fate([attempt("s1", [fire1])]), "firing joined yes");
  t.equal(fate([attempt("s1", [fire1]), attempt("s2", [resolve1])]), "resolved joined yes", "one receiver");
  t.equal(fate([attempt("s1", [fire1]), atB("s2", resolve1)]), "resolved joined unknown", "two receivers");
  t.equal(
    fate([attempt("s1", [fire1], "indeterminate"), atB("s1", fire1), attempt("s2", [resolve1])]),
    "resolved joined unknown",
    "a receiver that was asked in vain may have it, too",
  );
  t.equal(fate([attempt("s1", [fire1]), atB("s2", resolve1), attempt("s3", [fire2])]), "firing joined yes");
  t.equal(
    fate([attempt("s1", [fire1]), attempt("s2", [resolve1], "indeterminate")]),
    "firing|resolved joined yes",
    "a broken connection may have brought it or not",
  );
  t.equal(fate([attempt("s1", [fire1]), atB("s2", resolve1, "unreachable")]), "firing joined yes");
  t.end();
});

await t.test(
  "an alert's fate follows its newest occurrence, whatever the order, and what may be lost stays open",
  async (t) => {
    const fate = (attempts: readonly Attempt[]) => {
      const found = fatesOf(attempts).get("t1");
      return `${[...(found?.statuses ?? [])].toSorted().join("|")} joined ${found?.joined}`;
    };
    const [fire1, resolve1, fire2] = [step("fire", 1), step("resolve", 1), step("fire", 2)];
    t.equal(fate([attempt("s1", [fire1]), attempt("s2", [resolve1])]), "resolved joined yes");
    t.equal(fate([attempt("s1", [fire1]), attempt("s2", [fire2]), attempt("s3", [resolve1])]), "firing joined yes");
    t.equal(fate([attempt("s1", [resolve1]), attempt("s2", [fire1])]), "resolved joined no");
    t.equal(
      fate([attempt("s1", [fire1]), attempt("s2", [resolve1], "indeterminate")]),
      "firing|resolved joined yes",
      "a broken connection may have brought it or not",
    );
    t.equal(
      fate([attempt("s1", [fire1], "indeterminate"), attempt("s2", [resolve1])]),
      "resolved joined unknown",
      "nobody knows whether the fire came first",
    );
    t.equal(fatesOf([attempt("s1", [fire1], "unreachable")]).size, 0, "what was never sent has no fate");
  },
);
