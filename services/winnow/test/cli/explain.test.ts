import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { FakeApi } from "./fake-api.ts";
import { runCli } from "./run-cli.ts";
import { explanation, page } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };
const fingerprint = "0123456789abcdef0123456789abcdef";

await t.test("a known alert is explained: who took it, and why nobody before", async (t) => {
  api.on("POST /v1/explain", explanation());
  const { code, stdout } = await runCli(["explain", fingerprint], { env });
  t.same(JSON.parse(api.last().body), { fingerprint });
  t.equal(
    stdout,
    `${fingerprint}  in incident inc_0001
  ✗ per-cluster: labels.cluster is (absent), wanted present (labels.cluster: { exists: true })
  ✓ per-service: group service=checkout
    First alert of its group: the rule opened an incident
`,
  );
  t.equal(code, 0);
  const json = await runCli(["explain", fingerprint, "-o", "json"], { env });
  t.same(JSON.parse(json.stdout), explanation());
});

await t.test("an alert that is in no incident is told what the rules in force say", async (t) => {
  const decided = { ...explanation().reason, evidence: { decided: "not yet: what the rules in force say" } };
  api.on("POST /v1/explain", explanation({ incident_id: null, reason: decided }));
  const { stdout } = await runCli(["explain", fingerprint], { env });
  t.match(stdout, /in no incident, not yet: what the rules in force say/);
  t.notMatch(stdout, /opened an incident/);
});

await t.test("a body goes out as it is, for the integration that shall read it", async (t) => {
  const form = "host=db-01&state=CRITICAL";
  const folder = testFolder(t, { "body.txt": form, "body.json": ' [{"labels":{}}]' });
  api.on("POST /v1/explain", page([explanation(), explanation({ incident_id: null })]));
  const two = await runCli(["explain", join(folder, "body.txt"), "--integration", "nagios dc1"], { env });
  t.equal(api.last().url, "/v1/explain?integration=nagios+dc1");
  t.same([api.last().body, api.last().headers["content-type"]], [form, "application/x-www-form-urlencoded"]);
  t.equal(two.stdout.match(/✓/g)?.length, 2);
  await runCli(["explain", "-", "--integration", "am"], { env, stdin: "[]" });
  t.same([api.last().body, api.last().headers["content-type"]], ["[]", "application/json"]);
  api.on("POST /v1/explain", page([]));
  t.match((await runCli(["explain", "-", "--integration", "am"], { env, stdin: "[]" })).stderr, /holds no alert/);
});

await t.test("an event of winnow.alert/1 needs no integration, anything else does", async (t) => {
  api.on("POST /v1/explain", explanation());
  const event = JSON.stringify({ spec: "winnow.alert/1", fingerprint });
  t.equal((await runCli(["explain", "-"], { env, stdin: event })).code, 0);
  t.equal(api.last().body, event);
  const other = await runCli(["explain", "-"], { env, stdin: "{}" });
  t.equal(other.code, 2);
  t.match(other.stderr, /--integration NAME/);
  const missing = await runCli(["explain", "nowhere.json"], { env });
  t.same([missing.code, /no such file/.test(missing.stderr)], [1, true]);
});
