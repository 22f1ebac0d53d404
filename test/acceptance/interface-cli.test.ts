/** The command line against a running Winnow, as the outside contract says. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { parse } from "yaml";
import type { CommandResult } from "../real-tools/run-command.ts";
import { startExample } from "./support/example.ts";
import { winnow } from "./support/product.ts";
import type { Incident, Page } from "./support/shapes.ts";
import { until } from "./support/until.ts";

const sources =
  "sources:\n  alertmanager: { type: alertmanager }\n  nagios: { type: nagios }\n  zabbix: { type: zabbix }\n" +
  "  datadog: { type: datadog }\n";
const { product, folder } = await startExample(t, (text) =>
  text.replace("sources:\n", sources).replace("hold: 5s ", "hold: 0s "),
);
const { client, ready } = product;
const environment = { WINNOW_URL: ready.url, WINNOW_TOKEN: ready.token };

/** One command line, with the environment that the contract names. */
const run = (...args: readonly string[]): Promise<CommandResult> => winnow(args, { cwd: folder, env: environment });

await t.test("send, get, incident, ack, note, resolve: an alert's life on the command line", async (t) => {
  for (const tool of ["alertmanager", "nagios", "zabbix", "datadog"]) {
    const sent = await run("send", tool, "-o", "json");
    t.equal(sent.code, 0, `send ${tool}`, { stderr: sent.stderr });
    t.match(JSON.parse(sent.stdout), { accepted: 1, dead_lettered: 0, warnings: [] });
  }
  const incident = await until("an incident", async () => {
    const { items } = await client.get<Page<Incident>>("/v1/incidents");
    return items.at(-1) ?? null;
  });
  const number = String(incident.number);
  for (const [words, state] of [
    [["ack", number, "on", "it"], "acknowledged"],
    [["note", number, "restarting"], "acknowledged"],
    [["resolve", number, "done"], "resolved"],
  ] as const) {
    const { code, stdout, stderr } = await run(...words, "-o", "json");
    t.equal(code, 0, words.join(" "), { stderr });
    t.match(JSON.parse(stdout), { id: incident.id, state });
  }
  const story = await run("incident", number);
  t.equal(story.code, 0, story.stderr);
  for (const text of ["on it", "restarting", "done"]) t.ok(story.stdout.includes(text), `the story says "${text}"`);
});

await t.test("-o json is the API's JSON, and -o yaml the same", async (t) => {
  await client.ask("/v1/in/alertmanager", { body: "{" });
  await until("the dead letter", async () => (await client.get<Page<object>>("/v1/dead-letters")).items.length > 0);
  await until("nothing in flight or due", async () => {
    const { in_flight } = await client.get<{ in_flight: number }>("/v1/accounting");
    const { items } = await client.get<Page<object>>("/v1/deliveries?state=due,inflight,unknown");
    return in_flight === 0 && items.length === 0;
  });
  const [alert] = (await client.get<Page<{ fingerprint: string }>>("/v1/alerts")).items;
  const [letter] = (await client.get<Page<{ id: string }>>("/v1/dead-letters")).items;
  const [incident] = (await client.get<Page<Incident>>("/v1/incidents")).items;
  const { fingerprint = "" } = alert ?? {};
  const explained = await client.ask("/v1/explain", { body: { fingerprint } });
  const pairs: readonly (readonly [readonly string[], unknown])[] = [
    [["get", "incidents"], await client.get("/v1/incidents")],
    [["get", "alerts"], await client.get("/v1/alerts")],
    [["get", "deliveries"], await client.get("/v1/deliveries")],
    [["get", "dead-letters"], await client.get("/v1/dead-letters")],
    [["dlq", "show", letter?.id ?? ""], letter],
    [["incident", incident?.id ?? ""], incident],
    [["explain", fingerprint], explained.json()],
    [["token", "ls"], await client.get("/v1/tokens")],
  ];
  for (const [words, body] of pairs) {
    const json = await run(...words, "-o", "json");
    t.equal(json.code, 0, words.join(" "), { stderr: json.stderr });
    t.same(JSON.parse(json.stdout), body, `${words.join(" ")} -o json`);
  }
  const yaml = await run("get", "incidents", "-o", "yaml");
  t.same(parse(yaml.stdout), await client.get("/v1/incidents"), "get incidents -o yaml");
  const wide = await run("get", "incidents", "-o", "wide");
  t.match(wide.stdout, /^ *NO +PRIO +STATE /, "tables are for people");
});

await t.test("exit codes: 0 ok, 1 failed, 2 usage, 3 lint findings, 4 not found, 5 unreachable", async (t) => {
  const rules = "rules:\n  - id: a\n    match: { service: { exists: true } }\n    group_by: [service]\n";
  writeFileSync(join(folder, "good.yaml"), rules);
  writeFileSync(join(folder, "bad.yaml"), rules.replace("group_by", "groupby"));
  // Whoever reads the second rule expects it to match something, which the first one leaves nothing to.
  writeFileSync(
    join(folder, "odd.yaml"),
    `rules:\n  - { id: all, group_by: [service] }\n  - { id: none, group_by: [host] }\n`,
  );
  const cases: readonly (readonly [number, readonly string[]])[] = [
    [0, ["doctor"]],
    [0, ["rules", "check", "good.yaml"]],
    [0, ["config", "check"]],
    [0, ["--version"]],
    [1, ["rules", "check", "bad.yaml"]],
    [2, ["get", "nothing"]],
    [2, ["nonsense"]],
    [4, ["incident", "inc_none"]],
    [4, ["ack", "999999"]],
    [4, ["dlq", "show", "dl_none"]],
    [5, ["get", "incidents", "--url", "http://127.0.0.1:9"]],
  ];
  for (const [code, words] of cases) {
    const result = await winnow(words, { cwd: folder, env: { ...environment, AM_TOKEN: "a", SNOW_PASSWORD: "b" } });
    t.equal(result.code, code, `${words.join(" ")} exits ${code}`, { stdout: result.stdout, stderr: result.stderr });
    if (code > 1) t.equal(result.stdout, "", `${words.join(" ")} has no data`);
    if (code > 1) t.not(result.stderr, "", `${words.join(" ")} says why`);
  }
  const wrong = await winnow(["get", "incidents"], { cwd: folder, env: { ...environment, WINNOW_TOKEN: "wrong" } });
  t.equal(wrong.code, 1, "a wrong token is a failure");
  const lint = await run("rules", "check", "odd.yaml");
  t.equal(lint.code, 3, "findings that only deserve a look", { stdout: lint.stdout, stderr: lint.stderr });
});

await t.test("URL and token come from ~/.config/winnow/config.yaml where the environment has none", async (t) => {
  mkdirSync(join(folder, ".config/winnow"), { recursive: true });
  const file = join(folder, ".config/winnow/config.yaml");
  writeFileSync(file, `url: ${ready.url}\ntoken: ${ready.token}\n`, { mode: 0o600 });
  const listed = await winnow(["get", "incidents", "-o", "json"], { cwd: folder });
  t.equal(listed.code, 0, listed.stderr);
  t.ok((JSON.parse(listed.stdout) as Page<Incident>).items.length > 0);
});

await t.test("init writes a configuration that is good as it is; a stopped Winnow's log is replayed", async (t) => {
  const fresh = testFolder(t);
  t.equal((await winnow(["init"], { cwd: fresh })).code, 0);
  const checked = await winnow(["config", "check"], { cwd: fresh });
  t.equal(checked.code, 0, "exit 0", { stdout: checked.stdout, stderr: checked.stderr });
  t.equal(await product.stop(), 0);
  const replayed = await run("replay", "--verify", "-o", "json");
  t.equal(replayed.code, 0, replayed.stderr);
  t.match(JSON.parse(replayed.stdout), { equal: true });
});
