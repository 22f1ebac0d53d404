import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { runCli } from "./run-cli.ts";

const good = `version: 1
rules:
  - id: per-service
    match: { service: { exists: true } }
    group_by: [service]
routes:
  - to: [out]
destinations:
  out: { type: log, mode: live }
`;
const lint = good.replace("rules:\n", "rules:\n  - id: all\n    group_by: [service]\n    on_missing: shared\n");

await t.test("a good configuration is ok, without anything on stderr", async (t) => {
  const cwd = testFolder(t, { "winnow.yaml": good });
  t.same(await runCli(["config", "check"], { cwd }), { code: 0, stdout: "winnow.yaml: ok\n", stderr: "" });
  t.same(await runCli(["rules", "check"], { cwd }), { code: 0, stdout: "winnow.yaml: ok\n", stderr: "" });
});

await t.test("errors carry file, line, column, a caret and what to write instead, exit 1", async (t) => {
  const cwd = testFolder(t, { "winnow.yaml": good.replace("[service]\n", "[service]\n    hodl: 5s\n") });
  for (const command of ["config", "rules"]) {
    const { code, stdout, stderr } = await runCli([command, "check"], { cwd });
    t.same([code, stdout], [1, ""], command);
    t.match(stderr, /^error: winnow\.yaml:6:5: unknown key "hodl"/, command);
    t.match(stderr, /6 \| {5}hodl: 5s\n {4}\| {5}\^\n {2}hint: did you mean "hold"\?/, command);
    t.match(stderr, /winnow\.yaml: 1 error\n$/, command);
  }
  const json = await runCli(["config", "check", "-o", "json"], { cwd });
  const { ok, errors } = JSON.parse(json.stdout) as { ok: boolean; errors: object[] };
  t.same([json.code, ok, errors.length], [1, false, 1]);
  t.match(errors[0], { file: "winnow.yaml", line: 6, column: 5, code: "unknown_key" });
});

await t.test("findings that only deserve a look end with 3", async (t) => {
  const cwd = testFolder(t, { "winnow.yaml": lint });
  for (const command of ["config", "rules"]) {
    const { code, stderr } = await runCli([command, "check"], { cwd });
    t.equal(code, 3, command);
    t.match(stderr, /warning: winnow\.yaml:6:/, command);
    t.match(stderr, /1 warning\n$/, command);
  }
});

await t.test("a secret that is missing here is noted, and no finding", async (t) => {
  const sources = "sources:\n  am: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } } }\n";
  const cwd = testFolder(t, { "winnow.yaml": good + sources });
  const without = await runCli(["config", "check"], { cwd });
  t.equal(without.code, 0);
  t.match(without.stderr, /^note: winnow\.yaml:11:.*AM_TOKEN/);
  const given = await runCli(["config", "check"], { cwd, env: { AM_TOKEN: "x" } });
  t.same(given, { code: 0, stdout: "winnow.yaml: ok\n", stderr: "" });
});

await t.test("rules are checked in whole folders", async (t) => {
  const rule = (id: string): string => `rules:\n  - id: ${id}\n    group_by: [service]\n`;
  const cwd = testFolder(t, { rules: { "a.yaml": rule("a"), deep: { "b.yml": rule("b") }, "c.txt": "{" } });
  const fine = await runCli(["rules", "check", "rules"], { cwd });
  t.same([fine.code, fine.stdout], [0, "2 files: ok\n"]);
  writeFileSync(join(cwd, "rules/deep/b.yml"), "rules: 7\n");
  const broken = await runCli(["rules", "check", "rules", "rules/a.yaml"], { cwd });
  t.equal(broken.code, 1);
  t.match(broken.stderr, /error: rules\/deep\/b\.yml:1:8/);
});

await t.test("a file that is not there fails", async (t) => {
  const cwd = testFolder(t);
  for (const command of ["config", "rules"]) {
    const { code, stderr } = await runCli([command, "check", "nowhere.yaml"], { cwd });
    t.same([code, /nowhere\.yaml/.test(stderr)], [1, true], command);
  }
  t.equal((await runCli(["rules", "check", "."], { cwd })).code, 1);
});

await t.test("init writes a configuration that passes its own check, and overwrites nothing", async (t) => {
  const cwd = testFolder(t);
  const first = await runCli(["init"], { cwd });
  t.same([first.code, first.stdout], [0, "winnow.yaml\nwinnow.schema.json\n"]);
  t.equal((await runCli(["config", "check"], { cwd })).code, 0);
  t.match(JSON.parse(readFileSync(join(cwd, "winnow.schema.json"), "utf8")), { title: "Winnow configuration" });
  writeFileSync(join(cwd, "winnow.yaml"), "mine");
  const second = await runCli(["init"], { cwd });
  t.equal(second.code, 1);
  t.match(second.stderr, /--force/);
  t.equal(readFileSync(join(cwd, "winnow.yaml"), "utf8"), "mine");
  t.equal((await runCli(["init", "--force"], { cwd })).code, 0);
  t.not(readFileSync(join(cwd, "winnow.yaml"), "utf8"), "mine");
});

await t.test("a replay of a data directory that is not there fails and makes none", async (t) => {
  const cwd = testFolder(t);
  t.equal((await runCli(["replay", "--verify", "--data", "nope"], { cwd })).code, 4);
  t.notOk(existsSync(join(cwd, "nope")));
});
