import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { FakeApi, problem } from "./fake-api.ts";
import { childEnvironment, cliFile, runCli } from "./run-cli.ts";
import { incident, page } from "./samples.ts";

const api = await FakeApi.start();
t.teardown(async () => {
  await api.stop();
});
const env = { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" };

await t.test("what makes no sense on the command line ends with 2 and asks nothing", async (t) => {
  const wrong = [
    [],
    ["frobnicate"],
    ["ack"],
    ["note", "42"],
    ["get"],
    ["get", "tickets"],
    ["get", "incidents", "--state", "open"],
    ["get", "incidents", "--priority", "P9"],
    ["get", "incidents", "--limit", "0"],
    ["get", "incidents", "--all", "--limit", "5"],
    ["get", "incidents", "--bogus"],
    ["get", "incidents", "-o", "xml"],
    ["get", "incidents", "--url", "ftp://example"],
    ["incident", "42", "43"],
    ["send", "bogus"],
    ["send", "alertmanager", "--set", "novalue"],
    ["send", "alertmanager", "--set", "severity=awful"],
    ["send", "alertmanager", "--at", "yesterday"],
    ["fake", "bogus"],
    ["replay"],
    ["up", "--demo", "--config", "winnow.yaml"],
    ["token", "create", "bob", "--scopes", "root"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await runCli(args, { env });
    t.same([code, stdout], [2, ""], args.join(" "));
    t.not(stderr, "", args.join(" "));
  }
  t.same(api.seen, []);
});

await t.test("help and version are data, and end with 0", async (t) => {
  for (const args of [["--help"], ["help", "send"], ["get", "incidents", "--help"]]) {
    const { code, stdout, stderr } = await runCli(args);
    t.same([code, stderr], [0, ""], args.join(" "));
    t.match(stdout, /^Usage: winnow/, args.join(" "));
  }
  t.match((await runCli(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
});

await t.test("a Winnow that is not there ends with 5 and a hint", async (t) => {
  const gone = await FakeApi.start();
  const { url } = gone;
  await gone.stop();
  for (const args of [["get", "incidents"], ["incident", "42"], ["ack", "42"], ["send", "nagios"], ["doctor"]]) {
    const { code, stdout, stderr } = await runCli(args, { env: { WINNOW_URL: url } });
    t.equal(code, 5, args.join(" "));
    t.match(stdout + stderr, /nothing listens there/, args.join(" "));
    t.match(stdout + stderr, /winnow up/, args.join(" "));
  }
  t.equal((await runCli(["get", "incidents"], { env: { WINNOW_URL: "http://name.invalid" } })).code, 5);
});

await t.test("what is not there ends with 4 and says the API's words", async (t) => {
  api.on("GET /v1/incidents/99", () => problem(404, "There is no such thing", { detail: "no incident has this id" }));
  const { code, stdout, stderr } = await runCli(["incident", "99"], { env });
  t.same([code, stdout], [4, ""]);
  t.equal(stderr, "error: There is no such thing: no incident has this id\n");
});

await t.test("a refusal ends with 1 and says what to do", async (t) => {
  api.on("GET /v1/incidents", () => problem(401, "A bearer token is needed"));
  const wrong = await runCli(["get", "incidents"], { env });
  t.same([wrong.code, wrong.stdout], [1, ""]);
  t.match(wrong.stderr, /A bearer token is needed\n {2}hint: check WINNOW_TOKEN/);
  const none = await runCli(["get", "incidents"], { env: { WINNOW_URL: api.url } });
  t.match(none.stderr, /hint: set WINNOW_TOKEN/);
  api.on("GET /v1/incidents", () => problem(503, "Not available just now"));
  t.equal((await runCli(["get", "incidents"], { env })).code, 1);
});

await t.test("an answer that is not Winnow's ends with 1, not with a stack", async (t) => {
  api.on("GET /v1/incidents", () => ({ contentType: "text/html", body: "<html>login</html>" }));
  const html = await runCli(["get", "incidents"], { env });
  t.equal(html.code, 1);
  t.match(html.stderr, /did not answer with JSON/);
  api.on("GET /v1/incidents", () => ({ status: 302, body: "" }));
  t.match((await runCli(["get", "incidents"], { env })).stderr, /redirects/);
});

await t.test("an action whose answer is lost ends with 5 and can be repeated safely", async (t) => {
  api.on("POST /v1/incidents/42/ack", () => "hang up");
  const lost = await runCli(["ack", "42"], { env });
  t.equal(lost.code, 5);
  const key = /--idempotency-key (\S+)/.exec(lost.stderr)?.[1];
  t.equal(key, api.last().headers["idempotency-key"]);
  api.on("POST /v1/incidents/42/ack", incident({ state: "acknowledged" }));
  await runCli(["ack", "42", "--idempotency-key", key ?? ""], { env });
  t.equal(api.last().headers["idempotency-key"], key);
});

await t.test("URL and token come from the file where the environment has none", async (t) => {
  api.on("GET /v1/incidents", page([]));
  const home = testFolder(t, { ".config": { winnow: { "config.yaml": `url: ${api.url}\ntoken: wnw_file\n` } } });
  const file = join(home, ".config/winnow/config.yaml");
  chmodSync(file, 0o600);
  const used = await runCli(["get", "incidents", "-o", "json"], { env: { HOME: home } });
  t.same([used.code, used.stderr], [0, ""]);
  t.equal(api.last().headers.authorization, "Bearer wnw_file");
  chmodSync(file, 0o644);
  t.match((await runCli(["get", "incidents"], { env: { HOME: home } })).stderr, /chmod 600/);
  writeFileSync(file, `url: ${api.url}\ntoken: { env: MY_TOKEN }\n`);
  await runCli(["get", "incidents"], { env: { HOME: home, MY_TOKEN: "wnw_env\n" } });
  t.equal(api.last().headers.authorization, "Bearer wnw_env");
  mkdirSync(join(home, "secrets"));
  writeFileSync(join(home, "secrets/token"), "wnw_secret\n");
  writeFileSync(file, `url: ${api.url}\ntoken: { file: ~/secrets/token }\n`);
  await runCli(["get", "incidents"], { env: { HOME: home } });
  t.equal(api.last().headers.authorization, "Bearer wnw_secret");
  writeFileSync(file, "ulr: http://x\n");
  const typo = await runCli(["get", "incidents"], { env: { HOME: home } });
  t.same([typo.code, /ulr is not understood/.test(typo.stderr)], [1, true]);
});

await t.test("the file's token is not sent to another host", async (t) => {
  api.on("GET /v1/incidents", page([]));
  const config = "url: http://winnow.example:8080\ntoken: wnw_file\n";
  const home = testFolder(t, { winnow: { "config.yaml": config } });
  await runCli(["get", "incidents", "--url", api.url], { env: { XDG_CONFIG_HOME: home } });
  t.equal(api.last().headers.authorization, undefined);
});

await t.test("a reader that has seen enough is no failure", async (t) => {
  const rows = Array.from({ length: 500 }, (_, index) => incident({ number: index, title: "x".repeat(500) }));
  api.on("GET /v1/incidents", page(rows));
  const script = `("$0" "$1" get incidents -o json; echo "code $?" >&2) | head -c 10 >/dev/null`;
  const child = spawn("sh", ["-c", script, process.execPath, cliFile], { env: childEnvironment(env) });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const done = Promise.withResolvers<void>();
  child.on("close", () => done.resolve());
  await done.promise;
  t.equal(stderr, "code 0\n");
});
