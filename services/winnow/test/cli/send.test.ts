import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Normalised, type SourceBody, sources } from "@winnow/sources";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { sampleTools } from "../../src/commands/send-samples/registry.ts";
import { type SampleInput, type SampleTool, sampleSeverities } from "../../src/commands/send-samples/sample.ts";
import { FakeApi, problem } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";

const startedMs = Date.UTC(2026, 10, 24, 22, 54, 36);
const sample: SampleInput = {
  startedMs,
  nowMs: startedMs + 60_000,
  resolve: false,
  service: "check & out",
  host: "web-01",
  environment: "prod",
  severity: "critical",
  title: "High latency",
  text: 'p99 is "2 s"\nor more',
  labels: { team: "payments" },
};

/** What the tool's own source makes of its samples. */
function read(tool: SampleTool, alerts: readonly SampleInput[]): Normalised {
  const source = sources.find(({ type }) => type === tool.source);
  if (source === undefined) throw new Error(`no source is called ${tool.source}`);
  const { body, contentType } = tool.request(alerts);
  return source.normalise({ body: decode(body, contentType), headers: {}, receivedMs: sample.nowMs }, {});
}

function decode(body: string, contentType: string): SourceBody {
  if (contentType === "application/json") return { kind: "json", value: JSON.parse(body) as unknown };
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(body)) fields.set(name, [...(fields.get(name) ?? []), value]);
  return { kind: "form", fields };
}

await t.test("every kind of source has a sample", async (t) => {
  const covered = new Set(sampleTools.map(({ source }) => source));
  for (const { type } of sources) t.ok(covered.has(type), type);
});

await t.test("each tool's own source reads its samples without a doubt", async (t) => {
  for (const tool of sampleTools) {
    const { drafts, rejected, warnings } = read(tool, [sample]);
    t.same([rejected, warnings], [[], []], tool.name);
    t.match(drafts, [{ kind: "alert", status: "firing", service: "check & out", host: "web-01" }], tool.name);
    t.match(drafts[0], { environment: "prod", severity: "critical", labels: { team: ["payments"] } }, tool.name);
    t.equal(drafts[0]?.occurred_ms, startedMs, tool.name);
  }
});

await t.test("each tool says each severity in a word that its source knows", async (t) => {
  for (const tool of sampleTools) {
    for (const severity of sampleSeverities) {
      t.same(read(tool, [{ ...sample, severity }]).warnings, [], `${tool.name} ${severity}`);
    }
  }
});

await t.test("the end of an alert is of the same alert and of the same occurrence", async (t) => {
  for (const tool of sampleTools) {
    const [fired] = read(tool, [sample]).drafts;
    const [resolved] = read(tool, [{ ...sample, resolve: true }]).drafts;
    t.equal(resolved?.status, "resolved", tool.name);
    t.same(resolved?.identity, fired?.identity, tool.name);
    t.equal(resolved?.episode_id, fired?.episode_id, tool.name);
    t.equal(resolved?.occurred_ms, sample.nowMs, tool.name);
  }
});

await t.test("two hosts are two alerts", async (t) => {
  for (const tool of sampleTools) {
    const [left] = read(tool, [sample]).drafts;
    const [right] = read(tool, [{ ...sample, host: "web-02" }]).drafts;
    t.notSame(left?.identity, right?.identity, tool.name);
  }
});

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };
const receipt = { id: "d1", accepted: 1, dead_lettered: 0, warnings: [] };

await t.test("a sample goes to the integration named after the tool, or to the one named", async (t) => {
  api.on("POST /v1/in/nagios", () => ({ status: 202, body: receipt }));
  api.on("POST /v1/in/dc1", () => ({ status: 202, body: receipt }));
  const sent = await runCli(["send", "nagios", "--set", "host=db-07", "--set", "foo=bar"], { env });
  t.same([sent.code, sent.stdout, sent.stderr], [0, "1 alert accepted\n", ""]);
  const { headers, body, url } = api.last();
  t.equal(url, "/v1/in/nagios");
  t.match(headers, { authorization: "Bearer wnw_test", "content-type": "application/x-www-form-urlencoded" });
  t.match(Object.fromEntries(new URLSearchParams(body)), { host: "db-07", label_foo: "bar", state: "CRITICAL" });
  const named = await runCli(["send", "nagios", "--integration", "dc1", "-o", "json"], { env });
  t.equal(api.last().url, "/v1/in/dc1");
  t.same(JSON.parse(named.stdout), receipt);
});

await t.test("so many alerts are of so many hosts, in as few requests as the tool would make", async (t) => {
  const answer = ({ body }: { body: string }) => {
    const accepted = (JSON.parse(body) as { alerts: unknown[] }).alerts.length;
    return { status: 202, body: { ...receipt, accepted } };
  };
  api.on("POST /v1/in/alertmanager", answer);
  const from = api.seen.length;
  const { stdout } = await runCli(["send", "alertmanager", "--count", "120"], { env });
  t.equal(stdout, "120 alerts accepted\n");
  const bodies = api.seen.slice(from).map(({ body }) => JSON.parse(body) as { alerts: { labels: object }[] });
  t.same(
    bodies.map(({ alerts }) => alerts.length),
    [50, 50, 20],
  );
  t.equal(new Set(bodies.flatMap(({ alerts }) => alerts.map(({ labels }) => JSON.stringify(labels)))).size, 120);
});

await t.test("the same --at is the same body, byte for byte", async (t) => {
  const bodies = new Set<string>();
  for (let run = 0; run < 2; run += 1) {
    bodies.add((await runCli(["send", "alertmanager", "--print", "--at", "2026-11-24T22:54:36Z"])).stdout);
  }
  t.equal(bodies.size, 1);
});

await t.test("--file posts a body as it is", async (t) => {
  const raw = Buffer.from([0x7b, 0xff, 0x0a]);
  const folder = testFolder(t, { body: "" });
  const file = join(folder, "body");
  writeFileSync(file, raw);
  api.on("POST /v1/in/am", () => ({ status: 202, body: { ...receipt, accepted: 0, dead_lettered: 1 } }));
  const { code, stdout } = await runCli(["send", "--file", file, "--integration", "am"], { env });
  t.same([code, stdout], [1, "0 alerts accepted, 1 could not be read: see `winnow dlq ls`\n"]);
  t.equal(api.last().headers["content-length"], "3");
  t.equal((await runCli(["send", "--file", file], { env })).code, 2);
});

await t.test("warnings are shown, and a refused token is explained", async (t) => {
  const warnings = [{ code: "bad_time", path: "time", message: "not a time" }];
  api.on("POST /v1/in/nagios", () => ({ status: 202, body: { ...receipt, warnings } }));
  t.match((await runCli(["send", "nagios"], { env })).stdout, /bad_time at time: not a time/);
  api.on("POST /v1/in/nagios", () => problem(401, "The token is missing or wrong"));
  const refused = await runCli(["send", "nagios"], { env });
  t.same([refused.code, /token of its own/.test(refused.stderr)], [1, true]);
  t.equal((await runCli(["send", "nagios", "--integration", "gone"], { env })).code, 4);
});

await t.test("without a tool the known ones are listed", async (t) => {
  const { code, stdout } = await runCli(["send"]);
  t.equal(code, 0);
  for (const { name } of sampleTools) t.match(stdout, new RegExp(`^${name} `, "m"));
});
