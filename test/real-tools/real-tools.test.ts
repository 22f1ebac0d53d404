import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BroughtPackages, bringPackages, isErrno } from "@winnow/devservers";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { until } from "../acceptance/support/until.ts";
import { ALERTMANAGER_PACKAGE, amtool, startAlertmanager } from "./alertmanager.ts";
import { type CapturedRequest, type CaptureServer, startCaptureServer } from "./capture-server.ts";
import { keepOrCompare } from "./captured.ts";
import { type Nagios, nagiosPackages, startNagios } from "./nagios.ts";
import { PROMETHEUS_PACKAGE, startPrometheus } from "./prometheus.ts";

// The first run downloads 30 MB; a run on its own has no setting but this one.
t.setTimeout(240_000);

interface Bench {
  readonly t: Test;
  readonly brought: BroughtPackages;
  /** The package's name and version. */
  readonly tool: string;
  readonly workDir: string;
  readonly server: CaptureServer;
}

interface Needs {
  /** The package whose name and version samples carry. */
  readonly main: string;
  readonly names: readonly string[];
}

/** Defines a test with a real tool; where the tool cannot be had the test is skipped and says why. */
async function toolTest(title: string, { main, names }: Needs, body: (bench: Bench) => Promise<void>): Promise<void> {
  const brought = await bringPackages({ names, log: (line) => t.comment(line) });
  if ("unavailable" in brought) {
    await t.test(title, { skip: brought.unavailable }, () => {});
    return;
  }
  await t.test(title, async (t) => {
    const workDir = testFolder(t);
    const server = await startCaptureServer();
    t.teardown(() => server.stop());
    await body({ t, brought, tool: `${main} ${brought.versions[main]}`, workDir, server });
    // A notification under way is curl's own process for as long as its time limit allows.
    await until("the last notification has ended", async (told) => {
      const left = await processesOf(workDir);
      told(left);
      return left.every((line) => !line.startsWith("curl"));
    });
    t.same(await processesOf(workDir), [], "no process is left behind");
  });
}

/** The command lines of all processes that name `folder`. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      try {
        return await readFile(`/proc/${pid}/cmdline`, "utf8");
      } catch (error) {
        if (isErrno(error, "ENOENT", "ESRCH")) {
          return "";
        }
        throw error;
      }
    }),
  );
  return lines.filter((line) => line.includes(folder));
}

interface AlertmanagerWebhook {
  readonly version: string;
  readonly status: string;
  readonly receiver: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly startsAt: string;
    readonly endsAt: string;
  }[];
}

interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

function json<T>(request: CapturedRequest): T {
  return JSON.parse(request.body) as T;
}

const ALERTMANAGER: Needs = { main: ALERTMANAGER_PACKAGE, names: [ALERTMANAGER_PACKAGE] };
const PROMETHEUS: Needs = { main: PROMETHEUS_PACKAGE, names: [PROMETHEUS_PACKAGE] };
const NAGIOS: Needs = { main: "nagios4-core", names: await nagiosPackages() };

await toolTest("Alertmanager posts a group when it fires and when it resolves", ALERTMANAGER, async (bench) => {
  const { t, brought, workDir, server, tool } = bench;
  const alertmanager = await startAlertmanager({
    rootDir: brought.rootDir,
    workDir,
    webhookUrl: `${server.url}/v1/in/alertmanager`,
    bearer: "test-token",
    groupBy: ["service"],
  });
  const posted = (status: string, test: (webhook: AlertmanagerWebhook) => boolean): Promise<CapturedRequest> =>
    server.arrival(`the ${status} webhook`, (request) => {
      const webhook = json<AlertmanagerWebhook>(request);
      return webhook.status === status && test(webhook);
    });
  try {
    const startsAt = new Date().toISOString();
    const alerts = ["web-1", "web-2"].map((instance) => ({
      labels: { alertname: "HighLatency", service: "checkout", severity: "critical", instance },
      annotations: { summary: `p99 above 2 s on ${instance}`, runbook_url: "https://runbooks.example/high-latency" },
      startsAt,
      generatorURL: "http://prometheus.example:9090/graph?g0.expr=latency+%3E+2&g0.tab=1",
    }));
    await postAlerts(alertmanager.url, alerts);
    // A group goes out once its oldest alert is older than group_wait: on a busy machine with one of the two at first.
    const firing = await posted("firing", ({ alerts }) => alerts.length === 2);
    t.equal(firing.path, "/v1/in/alertmanager");
    t.equal(firing.headers.authorization, "Bearer test-token");
    t.match(json<AlertmanagerWebhook>(firing), { version: "4", receiver: "winnow", alerts: [{}, {}] });
    t.equal(json<AlertmanagerWebhook>(firing).alerts[0]?.endsAt, "0001-01-01T00:00:00Z");

    const queried = await alertmanager.amtool(["alert", "query", "-o", "json", "service=checkout"]);
    t.equal(queried.code, 0, queried.stderr);
    t.equal((JSON.parse(queried.stdout) as unknown[]).length, 2, "amtool sees both alerts");

    await postAlerts(
      alertmanager.url,
      alerts.map((alert) => ({ ...alert, endsAt: new Date().toISOString() })),
    );
    const resolved = await posted("resolved", ({ alerts }) => alerts.length > 0);
    t.same(new Set(json<AlertmanagerWebhook>(resolved).alerts.map(({ status }) => status)), new Set(["resolved"]));
    const samples = [
      { file: "alertmanager-webhook-firing.json", tool, request: firing },
      { file: "alertmanager-webhook-resolved.json", tool, request: resolved },
    ];
    t.same(await keepOrCompare(samples), [], "the stored samples have no field that is not sent");
  } finally {
    await alertmanager.stop();
  }
});

await toolTest("amtool adds alerts and silences at any Alertmanager API", ALERTMANAGER, async (bench) => {
  const { t, brought, server, tool } = bench;
  const options = { rootDir: brought.rootDir, url: `${server.url}/compat/alertmanager/am`, bearer: "test-token" };
  const added = await amtool(["alert", "add", "DiskFull", "service=db", "--annotation=summary=disk is full"], options);
  t.equal(added.code, 0, added.stderr);
  const alert = await server.arrival("the alert", ({ path }) => path === "/compat/alertmanager/am/api/v2/alerts");
  t.match(json(alert), [
    { labels: { alertname: "DiskFull", service: "db" }, annotations: { summary: "disk is full" } },
  ]);
  t.equal(alert.headers.authorization, "Bearer test-token");

  const silence = ["silence", "add", "service=db", "--duration=1h", "--author=jdoe", "--comment=disk swap"];
  const silenced = await amtool(silence, options);
  t.equal(silenced.code, 0, silenced.stderr);
  const request = await server.arrival("the silence", ({ path }) => path.endsWith("/api/v2/silences"));
  t.match(json(request), { comment: "disk swap", createdBy: "jdoe", matchers: [{ name: "service", value: "db" }] });
  const samples = [
    { file: "amtool-alert-add.json", tool, request: alert },
    { file: "amtool-silence-add.json", tool, request },
  ];
  t.same(await keepOrCompare(samples), [], "the stored samples have no field that is not sent");

  const refused = await amtool(["alert", "query"], { rootDir: brought.rootDir, url: "http://127.0.0.1:1" });
  t.not(refused.code, 0, "an unreachable server is a failure");
});

/** A rule that fires while `isFiring`; its name and labels stay, so that Prometheus resolves it on a reload. */
function latencyRule(isFiring: boolean): string {
  return `
groups:
  - name: checkout
    rules:
      - alert: HighLatency
        expr: vector(2.5) > ${isFiring ? 2 : 3}
        labels: { severity: critical, service: checkout }
        annotations: { summary: "p99 is {{ $value }} s" }
`;
}

await toolTest("Prometheus posts alerts below a path prefix when they fire and resolve", PROMETHEUS, async (bench) => {
  const { t, brought, workDir, server, tool } = bench;
  const prometheus = await startPrometheus({
    rootDir: brought.rootDir,
    workDir,
    alertmanagerUrl: `${server.url}/compat/alertmanager/prod`,
    bearer: "test-token",
    rules: latencyRule(true),
    externalLabels: { cluster: "eu-1" },
  });
  const arrival = (what: string, isResolved: boolean): Promise<CapturedRequest> =>
    server.arrival(what, (request) =>
      json<PrometheusAlert[]>(request).some(({ endsAt }) => Date.parse(endsAt) <= Date.now() === isResolved),
    );
  try {
    const firing = await arrival("the firing alert", false);
    t.equal(firing.path, "/compat/alertmanager/prod/api/v2/alerts");
    t.equal(firing.headers.authorization, "Bearer test-token");
    t.match(json(firing), [
      {
        labels: { alertname: "HighLatency", service: "checkout", severity: "critical", cluster: "eu-1" },
        annotations: { summary: "p99 is 2.5 s" },
      },
    ]);
    await t.rejects(prometheus.reload("groups: [{name: 7, nonsense: true}]"), /refused the rules/);
    await prometheus.reload(latencyRule(false));
    const resolved = await arrival("the resolved alert", true);
    t.equal(json<PrometheusAlert[]>(resolved)[0]?.startsAt, json<PrometheusAlert[]>(firing)[0]?.startsAt);
    const samples = [
      { file: "prometheus-alerts-firing.json", tool, request: firing },
      { file: "prometheus-alerts-resolved.json", tool, request: resolved },
    ];
    t.same(await keepOrCompare(samples), [], "the stored samples have no field that is not sent");
  } finally {
    await prometheus.stop();
  }
});

const DISK = { host: "db-01", service: "Disk /var" };

/** A Nagios that watches one service of one host, and another host, and posts to the bench's server. */
function startBenchNagios({ brought, workDir, server }: Bench): Promise<Nagios> {
  return startNagios({
    rootDir: brought.rootDir,
    workDir,
    url: `${server.url}/v1/in/nagios`,
    token: "test-token",
    hosts: [
      {
        name: "db-01",
        alias: "db-01 (prod) primary",
        groups: ["linux", "prod-db"],
        services: [{ description: "Disk /var", groups: ["storage"] }],
      },
      { name: "web-01" },
    ],
  });
}

function fields(request: CapturedRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(request.body));
}

function nagiosForm({ server }: Bench, object: "host" | "service", type: string): Promise<CapturedRequest> {
  return server.arrival(`${object} ${type}`, (request) => {
    const form = fields(request);
    const isHost = form["service"] === "";
    return isHost === (object === "host") && form["notification_type"] === type;
  });
}

await toolTest("Nagios posts forms for hosts and services, problems and recoveries", NAGIOS, async (bench) => {
  const { t, tool } = bench;
  const nagios = await startBenchNagios(bench);
  try {
    const output =
      "DISK CRITICAL - free space: /var 210 MB (2%) | /var=9790MB;8000;9000;0;10000\n/var 210 MB\n/tmp 3 GB";
    await nagios.setState({ ...DISK, state: "CRITICAL", output });
    const problem = await nagiosForm(bench, "service", "PROBLEM");
    t.equal(problem.path, "/v1/in/nagios");
    t.equal(problem.headers["x-winnow-token"], "test-token");
    t.match(fields(problem), {
      host: "db-01",
      host_groups: /linux/,
      service: "Disk /var",
      state: "CRITICAL",
      output: "DISK CRITICAL - free space: /var 210 MB (2%)",
      long_output: "/var 210 MB\\n/tmp 3 GB",
      perfdata: "/var=9790MB;8000;9000;0;10000",
      service_groups: "storage",
    });
    await nagios.setState({ ...DISK, state: "OK", output: "DISK OK - free space: /var 5100 MB (51%)" });
    const recovery = await nagiosForm(bench, "service", "RECOVERY");
    t.match(fields(recovery), { state: "OK", last_state: "CRITICAL", problem_id: fields(problem)["problem_id"] ?? "" });

    const web = { host: "web-01" };
    await nagios.setState({ ...web, state: "DOWN", output: "CRITICAL - Host Unreachable (127.0.0.1)" });
    const hostProblem = await nagiosForm(bench, "host", "PROBLEM");
    t.match(fields(hostProblem), { host: "web-01", state: "DOWN" });
    await nagios.setState({ ...web, state: "UP", output: "PING OK - Packet loss = 0%, RTA = 1.41 ms" });
    const hostRecovery = await nagiosForm(bench, "host", "RECOVERY");
    t.match(fields(hostRecovery), { host: "web-01", state: "UP" });
    const samples = [
      { file: "nagios-service-problem.txt", tool, request: problem },
      { file: "nagios-service-recovery.txt", tool, request: recovery },
      { file: "nagios-host-problem.txt", tool, request: hostProblem },
      { file: "nagios-host-recovery.txt", tool, request: hostRecovery },
    ];
    t.same(await keepOrCompare(samples), [], "the stored samples have no field that is not sent");
  } finally {
    await nagios.stop();
  }
});

await toolTest("Nagios posts what people do, and runs no part of what they write", NAGIOS, async (bench) => {
  const { t, tool, workDir } = bench;
  const nagios = await startBenchNagios(bench);
  try {
    const marker = join(workDir, "marker");
    // A backslash at the end of one value and a command in the next: double quotes would let it out.
    await nagios.setState({ ...DISK, state: "WARNING", output: `DISK C:\\\n; touch ${marker} #` });
    const problem = fields(await nagiosForm(bench, "service", "PROBLEM"));
    t.equal(problem["output"], "DISK C:\\", "an output stays text");
    t.equal(problem["long_output"], `; touch ${marker} #`);

    const hostile = `it's $(touch ${marker}) \`touch ${marker}\` " & touch ${marker} | back\\`;
    await nagios.command(`ACKNOWLEDGE_SVC_PROBLEM;db-01;Disk /var;1;1;1;O'Neil;on it; see CHG-1: ${hostile}`);
    const acknowledged = await nagiosForm(bench, "service", "ACKNOWLEDGEMENT");
    t.equal(fields(acknowledged)["author"], "ONeil");
    t.match(fields(acknowledged)["comment"], /^on it; see CHG-1: its \(touch .* back\\$/, "a comment stays text");
    await nagios.command(`SEND_CUSTOM_SVC_NOTIFICATION;db-01;Disk /var;0;jdoe;${hostile}`);
    await nagiosForm(bench, "service", "CUSTOM");
    t.notOk((await readdir(workDir)).includes("marker"), "no part of an output or a comment was run");

    const now = Math.floor(Date.now() / 1000);
    await nagios.command(`SCHEDULE_SVC_DOWNTIME;db-01;Disk /var;${now};${now + 600};1;0;0;jdoe;disk swap`);
    const downtime = await nagiosForm(bench, "service", "DOWNTIMESTART");
    await nagios.command("DEL_SVC_DOWNTIME;1");
    const cancelled = await nagiosForm(bench, "service", "DOWNTIMECANCELLED");
    const samples = [
      { file: "nagios-service-acknowledgement.txt", tool, request: acknowledged },
      { file: "nagios-service-downtime-start.txt", tool, request: downtime },
      { file: "nagios-service-downtime-cancelled.txt", tool, request: cancelled },
    ];
    t.same(await keepOrCompare(samples), [], "the stored samples have no field that is not sent");
  } finally {
    await nagios.stop();
  }
});

async function postAlerts(url: string, alerts: readonly object[]): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/api/v2/alerts`, { method: "POST", headers, body: JSON.stringify(alerts) });
  if (!response.ok) {
    throw new Error(`Alertmanager refused the alerts: ${await response.text()}`);
  }
}
