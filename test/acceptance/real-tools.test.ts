/** Real Prometheus, Alertmanager with amtool, and Nagios at the real product, with a fake ServiceNow as the judge. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import {
  ALERTMANAGER_PACKAGE,
  type Alertmanager,
  amtool as runAmtool,
  startAlertmanager,
} from "../real-tools/alertmanager.ts";
import { type BroughtPackages, bringPackages } from "../real-tools/debian-packages.ts";
import { type Nagios, nagiosPackages, startNagios } from "../real-tools/nagios.ts";
import { PROMETHEUS_PACKAGE, type Prometheus, startPrometheus } from "../real-tools/prometheus.ts";
import type { CommandResult } from "../real-tools/run-command.ts";
import { startInMode } from "./support/mode.ts";
import { type Deployment, type Fake, startFakeVendor, winnow } from "./support/product.ts";
import type { Accounting, Incident, Member, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

// The first run downloads 60 MB.
t.setTimeout(300_000);

const token = "prod-am-token";
const environment = { AM_TOKEN: token, NAGIOS_TOKEN: "nagios-token", SNOW_PASSWORD: "snow-password" };

function configuration(snowUrl: string): string {
  return `version: 1
sources:
  prometheus-prod: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } }, environment: prod }
  nagios: { type: nagios, auth: { header: { value: { env: NAGIOS_TOKEN } } } }
rules:
  - id: per-service
    match: { source: [alertmanager, nagios], labels.team: { exists: true } }
    group_by: [service]
    on_missing: separate
    window: { type: until_resolved, max_age: 4h, max_alerts: 1000, reopen: 1h }
    hold: 2s
    resolve_delay: 0s
    incident: { title: "{{service}}: {{title}}", category: software, impact: medium, assignment_group: platform }
  - id: nagios-per-service
    match: { source: nagios }
    group_by: [service]
    on_missing: separate
    hold: 2s
    incident: { title: "{{title}}", category: hardware, impact: medium, assignment_group: datacenter }
routes:
  - match: { priority: [P1, P2, P3, P4] }
    to: [snow]
destinations:
  snow:
    type: servicenow
    mode: live
    url: ${snowUrl}
    allow_networks: [127.0.0.0/8]
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
    max_creates_per_minute: 600
`;
}

/** Two series fire while the rule does; its name and labels stay, so that Prometheus resolves them on a reload. */
function latencyRule(service: string, isFiring: boolean): string {
  const series = (instance: string): string => `label_replace(vector(2.5), "instance", "${instance}:9100", "", "")`;
  return `
groups:
  - name: ${service}
    rules:
      - alert: HighLatency
        expr: (${series("web-1")} or ${series("web-2")}) > ${isFiring ? 2 : 3}
        labels: { severity: critical, service: ${service}, team: platform }
        annotations: { summary: "p99 is {{ $value }} s on {{ $labels.instance }}" }
`;
}

/** Alerts end by themselves after four of these without news: long enough for a machine that stalls. */
const resendDelay = "3s";

interface Tools {
  readonly prometheus: BroughtPackages;
  readonly alertmanager: BroughtPackages;
  readonly nagios: BroughtPackages;
}

/** The three trees, each cached under its own name; a text when one cannot be had. */
async function bringTools(): Promise<Tools | string> {
  const log = (line: string): void => t.comment(line);
  const brought: BroughtPackages[] = [];
  for (const names of [[PROMETHEUS_PACKAGE], [ALERTMANAGER_PACKAGE], await nagiosPackages()]) {
    const result = await bringPackages({ names, log });
    if ("unavailable" in result) return result.unavailable;
    brought.push(result);
  }
  const [prometheus, alertmanager, nagios] = brought as [BroughtPackages, BroughtPackages, BroughtPackages];
  return { prometheus, alertmanager, nagios };
}

/** Everything that runs, started. */
interface Stage {
  readonly product: Deployment;
  readonly snow: Fake;
  /** Posts straight to Winnow as to an Alertmanager. */
  readonly straight: Prometheus;
  /** Posts to a real Alertmanager, which sends webhooks. */
  readonly behind: Prometheus;
  readonly alertmanager: Alertmanager;
  readonly nagios: Nagios;
  /** amtool against Winnow. */
  amtool(args: readonly string[]): Promise<CommandResult>;
}

async function startStage(t: Test, tools: Tools): Promise<Stage> {
  const folder = testFolder(t, { product: {}, straight: {}, behind: {}, alertmanager: {}, nagios: {} });
  const stops: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    for (const stop of stops.toReversed()) await stop();
  });
  const kept = <Started extends { stop(): Promise<void> }>(started: Started): Started => {
    stops.push(() => started.stop());
    return started;
  };
  const snow = await startFakeVendor("servicenow", folder);
  kept(snow.tool);
  writeFileSync(join(folder, "product/winnow.yaml"), configuration(snow.url));
  const product = await startInMode({ folder: join(folder, "product"), env: environment });
  stops.push(async () => void (await product.stop()));
  const [url = "", otherUrl = url] = product.entryUrls;
  const dropIn = { url: `${url}/compat/alertmanager/prometheus-prod`, bearer: token };
  const alertmanager = kept(
    await startAlertmanager({
      rootDir: tools.alertmanager.rootDir,
      workDir: join(folder, "alertmanager"),
      webhookUrl: `${otherUrl}/v1/in/prometheus-prod`,
      bearer: token,
      groupBy: ["service"],
    }),
  );
  const [straight, behind, nagios] = await Promise.all([
    startPrometheus({
      rootDir: tools.prometheus.rootDir,
      workDir: join(folder, "straight"),
      alertmanagerUrl: dropIn.url,
      bearer: token,
      rules: latencyRule("checkout", true),
      resendDelay,
    }).then(kept),
    startPrometheus({
      rootDir: tools.prometheus.rootDir,
      workDir: join(folder, "behind"),
      alertmanagerUrl: alertmanager.url,
      rules: latencyRule("orders", true),
      resendDelay,
    }).then(kept),
    startNagios({
      rootDir: tools.nagios.rootDir,
      workDir: join(folder, "nagios"),
      url: `${url}/v1/in/nagios`,
      token: environment.NAGIOS_TOKEN,
      hosts: [
        { name: "db-01", services: [{ description: "Disk /var" }] },
        { name: "db-02", services: [{ description: "Disk /var" }] },
        { name: "web-01" },
      ],
    }).then(kept),
  ]);
  const amtool = (args: readonly string[]): Promise<CommandResult> =>
    runAmtool(args, { rootDir: tools.alertmanager.rootDir, ...dropIn });
  return { product, snow, straight, behind, alertmanager, nagios, amtool };
}

/** What must be there while all fire: title → rule and number of members. */
const expected: Readonly<Record<string, { readonly rule: string; readonly members: number; readonly from: string }>> = {
  "checkout: p99 is 2.5 s on web-1:9100": { rule: "per-service", members: 2, from: "Prometheus, straight" },
  "orders: p99 is 2.5 s on web-1:9100": { rule: "per-service", members: 2, from: "Prometheus, by Alertmanager" },
  "mail: queue grows": { rule: "per-service", members: 1, from: "amtool" },
  "Disk /var on db-01": { rule: "nagios-per-service", members: 2, from: "Nagios, a service" },
  "Host web-01": { rule: "nagios-per-service", members: 1, from: "Nagios, a host" },
};
const incidentCount = Object.keys(expected).length;
const memberCount = Object.values(expected).reduce((sum, { members }) => sum + members, 0);

/** Which member came first is the tools' affair, and the title is the first one's. */
function expectationOf(title: string): (typeof expected)[string] | undefined {
  return expected[title.replace("web-2", "web-1").replace("db-02", "db-01")];
}

/** All incidents, once each is as `isSo` wants it. */
async function incidents(
  product: Deployment,
  what: string,
  isSo: (incident: Incident) => boolean,
): Promise<Incident[]> {
  return await until(what, async (told) => {
    const { items } = await product.client.get<Page<Incident>>("/v1/incidents?limit=100");
    told(items.map(({ title, state, member_count, deliveries }) => ({ title, state, member_count, deliveries })));
    return items.length === incidentCount && items.every(isSo) && [...items];
  });
}

function hasTicket({ deliveries }: Incident): boolean {
  return deliveries.length === 1 && deliveries.every(({ remote_id }) => remote_id !== null);
}

function isDelivered({ deliveries }: Incident): boolean {
  return (
    deliveries.length === 1 &&
    deliveries.every((one) => one.delivery_state === "idle" && one.applied_version === one.desired_version)
  );
}

function succeeds(t: Test, what: string, { code, stdout, stderr }: CommandResult): void {
  t.equal(code, 0, `${what} exits 0`, { stdout, stderr });
}

const tools = await bringTools();
if (typeof tools === "string") {
  await t.test("real tools fire and resolve", { skip: tools }, () => {});
} else {
  await t.test("real tools fire and resolve: the right incidents, one ticket each, resolved at the end", async (t) => {
    const stage = await startStage(t, tools);
    await fire(t, stage);
    const open = await incidents(
      stage.product,
      "all incidents, with a ticket",
      (one) => one.member_count === expectationOf(one.title)?.members && hasTicket(one),
    );
    await showsIncidents(t, stage, open);
    await showsAmtool(t, stage);
    await resolve(t, stage);
    await incidents(stage.product, "all resolved", (one) => one.state === "resolved" && isDelivered(one));
    await showsTickets(t, stage, open);
    await showsAccounting(t, stage);
    await showsReplay(t, stage);
  });
}

/** Prometheus fires by itself; Nagios finds trouble; a person uses amtool. */
async function fire(t: Test, { nagios, amtool }: Stage): Promise<void> {
  const disk = {
    service: "Disk /var",
    state: "CRITICAL",
    output: "DISK CRITICAL - free space: /var 210 MB (2%)",
  } as const;
  await nagios.setState({ host: "db-01", ...disk });
  await nagios.setState({ host: "db-02", ...disk });
  await nagios.setState({ host: "web-01", state: "DOWN", output: "CRITICAL - Host Unreachable (127.0.0.1)" });
  const labels = ["service=mail", "severity=warning", "team=platform"];
  const added = await amtool(["alert", "add", "QueueGrows", ...labels, "--annotation=summary=queue grows"]);
  succeeds(t, "amtool alert add", added);
}

async function showsIncidents(t: Test, { product }: Stage, open: readonly Incident[]): Promise<void> {
  for (const incident of open) {
    const { rule, members, from } = expectationOf(incident.title) ?? { rule: "", members: 0, from: "nobody" };
    await t.test(`${from}: ${incident.title}`, async (t) => {
      t.match(incident, { state: "new", open_member_count: members, rule: { id: rule } });
      const { items } = await product.client.get<Page<Member>>(`/v1/incidents/${incident.id}/members`);
      const reasons = items.map(({ reason }) => reason.code).toSorted();
      t.same(reasons, members === 2 ? ["rule_joined", "rule_opened"] : ["rule_opened"], "why they are members");
      t.ok(items.every((one) => one.status === "firing" && one.reason.rule_id === rule));
      t.equal(new Set(items.map(({ host }) => host)).size, members, "each member names its host");
    });
  }
  const environments = open.filter(({ rule }) => rule.id === "per-service").map((one) => one.environment);
  t.same(new Set(environments), new Set(["prod"]), "the integration's environment");
}

async function showsAmtool(t: Test, { amtool, alertmanager, product }: Stage): Promise<void> {
  await t.test("amtool reads Winnow as it reads an Alertmanager", async (t) => {
    const query = await amtool(["alert", "query", "-o", "json"]);
    succeeds(t, "amtool alert query", query);
    const alerts = JSON.parse(query.stdout) as { labels: { service: string }; receivers: { name: string }[] }[];
    t.same(
      alerts.map(({ labels }) => labels.service).toSorted(),
      ["checkout", "checkout", "mail", "orders", "orders"],
      "every open alert of the integration, whichever way it came",
    );
    t.same(new Set(alerts.flatMap(({ receivers }) => receivers.map(({ name }) => name))), new Set(["snow"]));
    const filtered = await amtool(["alert", "query", "service=~check.*", "instance=web-2:9100"]);
    succeeds(t, "amtool alert query with matchers", filtered);
    t.match(filtered.stdout, /HighLatency .*p99 is 2\.5 s on web-2:9100 .*active/, "the table that people read");

    const config = await amtool(["config", "show"]);
    succeeds(t, "amtool config show", config);
    t.match(config.stdout, /receivers:\n- name: "?snow"?/);

    const groups = await product.client.ask("/compat/alertmanager/prometheus-prod/api/v2/alerts/groups", {
      headers: { authorization: `Bearer ${token}` },
    });
    const shown = groups.json<{ labels: { service: string }; receiver: { name: string }; alerts: object[] }[]>();
    t.same(
      shown.map(({ labels, receiver, alerts }) => `${labels.service} ${receiver.name} ${alerts.length}`).toSorted(),
      ["checkout snow 2", "mail snow 1", "orders snow 2"],
      "an incident is a group, a destination a receiver",
    );

    const silence = ["silence", "add", "service=checkout", "--duration=1h", "--author=jdoe", "--comment=known"];
    const refused = await amtool(silence);
    t.not(refused.code, 0, "a silence that would do nothing is refused");
    t.match(refused.stderr, /Winnow takes no silences through this API: nothing was changed/);
    const none = await amtool(["silence", "query"]);
    succeeds(t, "amtool silence query", none);

    const real = await alertmanager.amtool(["config", "show"]);
    succeeds(t, "amtool config show at the real one", real);
  });
}

async function resolve(t: Test, { straight, behind, nagios, amtool }: Stage): Promise<void> {
  const fine = { service: "Disk /var", state: "OK", output: "DISK OK - free space: /var 5100 MB (51%)" } as const;
  await nagios.setState({ host: "db-01", ...fine });
  await nagios.setState({ host: "db-02", ...fine });
  await nagios.setState({ host: "web-01", state: "UP", output: "PING OK - Packet loss = 0%, RTA = 1.41 ms" });
  await straight.reload(latencyRule("checkout", false));
  await behind.reload(latencyRule("orders", false));
  const labels = ["service=mail", "severity=warning", "team=platform"];
  const ended = await amtool(["alert", "add", "QueueGrows", ...labels, `--end=${new Date().toISOString()}`]);
  succeeds(t, "amtool alert add --end", ended);
}

async function showsTickets(t: Test, { snow }: Stage, open: readonly Incident[]): Promise<void> {
  await t.test("the ledger has one ticket per incident, each resolved", async (t) => {
    const rows = snow.ledger();
    const creates = rows.filter(({ op }) => op === "create");
    t.equal(creates.length, incidentCount);
    t.equal(new Set(creates.map(({ correlation_id }) => correlation_id)).size, incidentCount);
    for (const incident of open) {
      const mine = creates.filter(({ short_description }) => short_description === incident.title);
      t.equal(mine.length, 1, incident.title);
      const { number } = mine[0] ?? { number: "none" };
      t.same(
        rows
          .filter((row) => row.number === number && ["resolve", "reopen", "close"].includes(row.op))
          .map(({ op }) => op),
        ["resolve"],
        `${number} is resolved, once`,
      );
    }
    t.ok(
      rows.every(({ by }) => by === "api"),
      "nobody but Winnow wrote",
    );
  });
}

async function showsAccounting(t: Test, { product }: Stage): Promise<void> {
  await t.test("every accepted event has one outcome", async (t) => {
    const { accepted, in_flight, outcomes } = await until("nothing in flight", async (told) => {
      const accounting = await product.client.get<Accounting>("/v1/accounting");
      told(accounting);
      return accounting.in_flight === 0 && accounting;
    });
    const settled = Object.values(outcomes).reduce((sum, n) => sum + n, 0);
    t.equal(accepted, settled + in_flight);
    t.match(outcomes, {
      opened: incidentCount,
      joined: memberCount - incidentCount,
      resolved: memberCount,
      pending: 0,
      dead_letter: 0,
      non_alert: 0,
    });
    t.ok((outcomes["duplicate"] ?? 0) > 0, "Prometheus repeats itself");
  });
}

/** What it decided can be decided again from its log alone, and a healthy system has logged no error. */
async function showsReplay(t: Test, { product, straight, behind }: Stage): Promise<void> {
  await t.test("it stops in order, and its log yields the same decisions again", async (t) => {
    await Promise.all([straight.stop(), behind.stop()]);
    t.equal(await product.stop(), 0, "it exits 0", { output: product.output() });
    t.same(errorLines(product.output()), [], "a healthy system logs no error");
    if (!product.isReplayable) return;
    const replayed = await winnow(["replay", "--verify", "--data", product.ready.data_dir], {
      cwd: product.ready.data_dir,
    });
    succeeds(t, "winnow replay --verify", replayed);
  });
}

function errorLines(output: string): readonly string[] {
  return output.split("\n").filter((line) => line.includes('"level":"error"'));
}
