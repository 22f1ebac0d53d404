/** Starting, stopping and reloading, as the outside contract says. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { runCommand } from "../real-tools/run-command.ts";
import { startTool } from "../real-tools/tool-process.ts";
import { exampleConfiguration, exampleEnvironment, startExample } from "./support/example.ts";
import { type Product, readReady, shellEnvironment, startProduct, winnow } from "./support/product.ts";
import type { Incident, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

await t.test("a start without anything is ready, says where it is, and ends with 0 on SIGTERM", async (t) => {
  const folder = testFolder(t);
  const product = await startProduct({ folder });
  t.teardown(() => product.tool.stop());
  const { ready, client } = product;
  const text = readFileSync(join(folder, "ready.json"), "utf8");
  t.same(Object.keys(JSON.parse(text) as object).toSorted(), ["data_dir", "pid", "token", "url", "version"]);
  t.match(ready.url, /^http:\/\/127\.0\.0\.1:[1-9]\d+$/, "port 0 became a free one");
  t.equal(ready.data_dir, join(folder, "data"), "./data is the default");
  t.ok(isAbsolute(ready.data_dir) && existsSync(ready.data_dir));
  t.ok(process.kill(ready.pid, 0), "pid is a living process");
  t.match(ready.version, /^\d+\.\d+\.\d+/);
  t.equal((await client.ask("/readyz")).status, 200, "the file is written once it is ready");
  const printed = product.tool.output();
  t.ok(printed.includes(ready.url) && printed.includes(ready.token), "a person sees both");
  await t.test("every built-in source is an integration under its own name", async (t) => {
    for (const source of ["alertmanager", "datadog", "nagios", "zabbix"]) {
      const body = { nothing: "of any tool" };
      t.equal((await client.ask(`/v1/in/${source}`, { body })).status, 202, source);
      const headers = { authorization: "Bearer wrong" };
      t.equal((await client.ask(`/v1/in/${source}`, { body, headers })).status, 401, `${source} is guarded`);
    }
  });
  await t.test("what it prints to paste works when it is pasted", async (t) => {
    const pasted = /^ {2}curl [^\n]*\\\n(?: {4}[^\n]*\\\n)* {4}[^\n]*$/m.exec(printed)?.[0] ?? "";
    t.match(pasted, /\/v1\/in\/alertmanager/);
    const { code, stdout, stderr } = await runCommand("/bin/sh", ["-c", pasted], { env: shellEnvironment(folder) });
    if (stderr.includes("not found")) t.comment("this machine has no curl");
    else t.match(JSON.parse(stdout), { accepted: 1, dead_lettered: 0 }, `curl ended with ${code}`);
  });
  product.signal("SIGTERM");
  t.equal(await product.tool.ended, 0);
});

await t.test("npm start takes the same flags, passes SIGTERM on and leaves nothing behind", async (t) => {
  const folder = testFolder(t, { "winnow.yaml": "version: 1\n" });
  const file = join(folder, "ready.json");
  const flags = ["--config", join(folder, "winnow.yaml"), "--data", join(folder, "data"), "--ready-file", file];
  const npm = startTool({
    command: "npm",
    args: ["start", "--", ...flags, "--listen", "127.0.0.1:0"],
    cwd: join(import.meta.dirname, "../.."),
    env: shellEnvironment(folder),
  });
  t.teardown(() => npm.stop());
  const { pid } = await until("the ready file", async () => existsSync(file) && readReady(file));
  process.kill(npm.pid, "SIGTERM");
  t.equal(await npm.ended, 0, "npm ends with 0", { output: npm.output() });
  t.match(npm.output(), /stopped$/m, "it had the time to stop in order");
  t.throws(() => process.kill(pid, 0), { code: "ESRCH" }, "the process of the ready file is gone");
});

await t.test("./winnow.yaml is taken where it is there, and flags go before it", async (t) => {
  const folder = testFolder(t, { "winnow.yaml": "version: 1\ndata: from-file\nsources:\n  only: { type: nagios }\n" });
  const product = await startProduct({ folder, args: ["--data", "from-flag"] });
  t.teardown(() => product.tool.stop());
  t.equal(product.ready.data_dir, join(folder, "from-flag"));
  const body = { host: "a", notification_type: "TEST" };
  t.equal((await product.client.ask("/v1/in/only", { body })).status, 202);
  t.equal((await product.client.ask("/v1/in/nagios", { body })).status, 404, "only the file's sources are there");
  await t.test("a second process is kept out of the data directory", async (t) => {
    const second = await winnow(["up", "--data", "from-flag", "--listen", "127.0.0.1:0"], { cwd: folder });
    t.equal(second.code, 1);
    t.match(second.stderr, /data_dir_locked/);
  });
  await t.test("a port that is taken ends the start with 1", async (t) => {
    const listen = new URL(product.ready.url).host;
    const second = await winnow(["up", "--data", "other", "--listen", listen], { cwd: folder });
    t.equal(second.code, 1);
    t.match(second.stderr, /EADDRINUSE/);
  });
});

await t.test("a broken configuration ends the start with 1, at file, line and column", async (t) => {
  const folder = testFolder(t, { "bad.yaml": "version: 1\nruels: []\n" });
  const started = await winnow(["up", "--config", "bad.yaml"], { cwd: folder });
  t.equal(started.code, 1);
  t.match(started.stderr, /bad\.yaml:2:1/);
  t.match(started.stderr, /rules/, "the nearest name");
  t.equal((await winnow(["up", "--confg", "bad.yaml"], { cwd: folder })).code, 2, "a flag that is none");
  t.equal((await winnow(["up", "--config", "absent.yaml"], { cwd: folder })).code, 1, "a file that is not there");
});

await t.test("the example of the contract works as it is", async (t) => {
  const folder = testFolder(t, { "winnow.yaml": exampleConfiguration });
  const checked = await winnow(["config", "check"], { cwd: folder, env: exampleEnvironment });
  t.equal(checked.code, 0, checked.stderr);
  const { product, snow, send } = await startExample(t);
  await send([
    { labels: { alertname: "Slow", service: "checkout", severity: "critical", team: "web", instance: "a:1" } },
  ]);
  const incident = await until("the ticket", async (told) => {
    const { items } = await product.client.get<Page<Incident>>("/v1/incidents");
    told(items);
    return items[0]?.deliveries[0]?.remote_id === undefined ? null : (items[0] ?? null);
  });
  t.match(incident, { title: "checkout: Slow on a:1", rule: { id: "per-service" }, environment: "prod" });
  t.match(incident, { category: "software", impact: "medium", priority: "P2" }, "medium impact, high urgency");
  await until("the ledger's create", async () => snow.ledger().length > 0);
  t.match(snow.ledger(), [{ op: "create", short_description: "checkout: Slow on a:1", assignment_group: "platform" }]);
});

/** The number behind a metric's name. */
async function metric(product: Product, name: string): Promise<number> {
  const { text } = await product.client.ask("/metrics");
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

await t.test("SIGHUP and POST /-/reload put a good file in force and keep the old one for a bad one", async (t) => {
  const source = (name: string): string => `version: 1\nsources:\n  ${name}: { type: nagios }\n`;
  const folder = testFolder(t, { "winnow.yaml": source("first") });
  const file = join(folder, "winnow.yaml");
  const product = await startProduct({ folder });
  t.teardown(() => product.tool.stop());
  const { client } = product;
  const has = async (name: string): Promise<boolean> =>
    (await client.ask(`/v1/in/${name}`, { body: "{}" })).status === 202;
  const successful = (): Promise<number> => metric(product, "winnow_config_last_reload_successful");
  const reload = () => client.ask("/-/reload", { method: "POST" });

  writeFileSync(file, source("second"));
  t.equal((await reload()).status, 200);
  t.same([await has("first"), await has("second")], [false, true]);

  writeFileSync(file, `${source("third")}rules:\n  - id: r\n    mach: {}\n    group_by: [service]\n`);
  const refused = await reload();
  t.equal(refused.status, 422);
  t.match(refused.headers.get("content-type"), /^application\/problem\+json/);
  t.match(refused.json(), { code: "config_invalid", errors: [{ file: /winnow\.yaml$/, line: 6, column: 5 }] });
  t.same([await has("second"), await has("third"), await successful()], [true, false, 0]);

  writeFileSync(file, source("fourth"));
  product.signal("SIGHUP");
  await until("the fourth source", () => has("fourth"));
  await until("the metric", async () => (await successful()) === 1);

  writeFileSync(file, "version: 1\nnonsense: [");
  product.signal("SIGHUP");
  await until("the refusal", async () => (await successful()) === 0);
  t.equal(await has("fourth"), true, "the one in force stays");
  await product.tool.line(/winnow\.yaml:\d+:\d+: /);

  writeFileSync(file, `${source("fourth")}listen: 127.0.0.1:1\nlog_level: warn\n`);
  t.match((await reload()).json(), { ok: true, warnings: [{ path: "log_level" }] }, "what waits for the next start");

  writeFileSync(file, source("fourth"));
  const denied = await client.ask("/-/reload", { method: "POST", headers: { authorization: "" } });
  t.equal(denied.status, 401, "reloading needs the token");
});
