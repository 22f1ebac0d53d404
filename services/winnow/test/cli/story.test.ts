import { reason, showReason } from "@winnow/contracts";
import t from "tap";
import { FakeApi } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";
import { before, delivery, explanation, incident, member, page, timelineRow } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };
const web1 = "0123456789abcdef0123456789abcdef";
const web2 = "f".repeat(32);
const rule = { id: "per-service", digest: "3fa2b1c4d5e6f708" };
const group = ["service=checkout"];
const at = (second: number): string => new Date(Date.UTC(2026, 10, 24, 22, 54, 36) + second * 1000).toISOString();

const opened = incident({
  opened_at: at(0),
  last_event_at: before(8.05),
  deliveries: [
    delivery(),
    delivery({
      destination: "chat",
      remote_id: null,
      remote_url: null,
      delivery_state: "dead",
      applied_version: 0,
      attempts: 5,
      last_error: { code: "unauthorized", message: "401 from the vendor" },
    }),
  ],
});
api
  .on("GET /v1/incidents/42", opened)
  .on("GET /v1/incidents/inc_0001", opened)
  .on(
    "GET /v1/incidents/inc_0001/members",
    page([
      member({
        fingerprint: web2,
        title: "p99 above 2 s on web-2",
        host: "web-2",
        status: "resolved",
        resolved_at: before(8.05),
      }),
      member(),
    ]),
  )
  .on("GET /v1/incidents/inc_0001/explanation", page([explanation()]))
  .on(
    "GET /v1/incidents/inc_0001/timeline",
    page([
      timelineRow(1, {
        kind: "opened",
        at: at(0),
        fingerprint: web1,
        reason: showReason(reason("rule_opened", { alert: "p99 above 2 s on web-1", group_key: group }, rule)),
      }),
      timelineRow(2, {
        at: at(2),
        fingerprint: web2,
        reason: showReason(reason("rule_joined", { alert: "p99 above 2 s on web-2", group_key: group }, rule)),
      }),
      timelineRow(3, { kind: "released", at: at(5), reason: showReason(reason("released", { priority: "P1" })) }),
      timelineRow(4, {
        kind: "delivery",
        at: at(6),
        actor: "router",
        reason: showReason(reason("ticket_created", { destination: "snow", ticket: "INC0010023" })),
      }),
      timelineRow(5, {
        kind: "acknowledged",
        at: at(125),
        actor: "alice",
        text: "looking at it",
        reason: showReason(reason("person_acknowledged", { person: "alice" })),
      }),
      timelineRow(6, {
        kind: "priority_changed",
        at: at(7_500),
        reason: showReason(reason("priority_changed", { from: "P2", to: "P1" })),
      }),
    ]),
  );

await t.test("an incident is told as a story, by number or by id", async (t) => {
  const { code, stdout, stderr } = await runCli(["incident", "42"], { env });
  const story = stdout.replace(/opened \S+ ago/, "opened 9d ago");
  t.equal(
    story,
    `#42  P1  new  checkout: p99 above 2 s on web-1
2 of 3 alerts firing, opened 9d ago, last event 8m3s ago, nobody has acknowledged it

  service      checkout
  environment  prod
  category     software
  severity     critical
  priority     P1 = impact high (breadth: 10 hosts or more) x urgency high (severity critical)
  opened       2026-11-24 22:54:36 UTC
  rule         per-service
  group        service=checkout
  why          First alert of its group: the rule opened an incident
  not          per-cluster: labels.cluster is (absent), wanted present (labels.cluster: { exists: true })
  id           inc_0001

Tickets
  DESTINATION  STATE  TICKET      SHOWS        TRIES  NEXT
  snow         idle   INC0010023  all              0     -
  chat         dead   -           nothing yet      5     -
  https://example.service-now.com/nav_to.do?uri=incident.do#INC0010023
  chat: unauthorized: 401 from the vendor

Alerts (2 firing, 1 resolved)
  STATUS    SEVERITY  SINCE  TITLE                   HOST   INTEGRATION
  firing    critical    12m  p99 above 2 s on web-1  web-1  prometheus-prod
  resolved  critical     8m  p99 above 2 s on web-2  web-2  prometheus-prod

Timeline (UTC)
  2026-11-24
  22:54:36     +0s  opened           p99 above 2 s on web-1: First alert of its group: the rule opened an incident
  22:54:38     +2s  joined           p99 above 2 s on web-2: Joined the open incident of the same rule and group key
  22:54:41     +5s  released         The hold time is over and the incident still fires  priority=P1
  22:54:42     +6s  delivery         snow INC0010023: The ticket was created
  22:56:41   +2m5s  acknowledged     alice: looking at it
  2026-11-25
  00:59:36   +2h5m  priority changed P2 to P1: Impact or urgency changed the priority
`.replace("8m3s", /last event (\S+) ago/.exec(stdout)?.[1] ?? "8m3s"),
  );
  t.equal(code, 0);
  t.match(stderr, /next: winnow ack 42/);
  const byId = await runCli(["incident", "inc_0001"], { env });
  t.match(byId.stdout, /^#42 {2}P1/);
});

await t.test("#42 means number 42", async (t) => {
  t.equal((await runCli(["incident", "#42", "-o", "json"], { env })).code, 0);
  t.equal(api.last().url, "/v1/incidents/42");
});

await t.test("JSON output is the incident as the API has it, and asks for nothing else", async (t) => {
  const asked = api.seen.length;
  const { stdout } = await runCli(["incident", "42", "-o", "json"], { env });
  t.same(JSON.parse(stdout), opened);
  t.equal(api.seen.length, asked + 1);
});

await t.test("of a long timeline the beginning and the end are shown, and --all shows everything", async (t) => {
  const rows = Array.from({ length: 200 }, (_, index) => timelineRow(index + 1, { at: at(index) }));
  api.on("GET /v1/incidents/inc_0001/timeline", page(rows));
  const short = await runCli(["incident", "42"], { env });
  t.match(short.stdout, /… 130 rows between: --all shows them/);
  t.equal(short.stdout.match(/ joined /g)?.length, 70);
  const long = await runCli(["incident", "42", "--all"], { env });
  t.equal(long.stdout.match(/ joined /g)?.length, 200);
});

await t.test("an id that would leave its path is not found, without asking", async (t) => {
  const asked = api.seen.length;
  const { code } = await runCli(["incident", ".."], { env });
  t.same([code, api.seen.length], [4, asked]);
});

await t.test("an id with signs of its own stays one part of the path", async (t) => {
  await runCli(["incident", "a/b?c#d"], { env });
  t.equal(api.last().url, "/v1/incidents/a%2Fb%3Fc%23d");
});
