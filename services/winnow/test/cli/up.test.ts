import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { childEnvironment, runCli } from "./run-cli.ts";
import { Running, type RunningOptions } from "./running.ts";

interface Ready {
  readonly url: string;
  readonly token: string;
  readonly data_dir: string;
  readonly pid: number;
  readonly version: string;
}

const flags = ["up", "--listen", "127.0.0.1:0", "--ready-file", "ready.json"];

/** Starts it and waits for its last word about being ready. */
async function start(t: Test, options: RunningOptions, more: readonly string[] = []): Promise<Running> {
  const running = new Running([...flags, ...more], options);
  t.teardown(async () => {
    await running.kill();
  });
  await running.until("stdout", /Or amtool:[^]*\n\n|^\{.*\}\n/);
  return running;
}

function readyOf(cwd: string): Ready {
  return JSON.parse(readFileSync(join(cwd, "ready.json"), "utf8")) as Ready;
}

await t.test("it says where it is, takes the alerts that its snippets send, and stops in order", async (t) => {
  const cwd = testFolder(t);
  const running = await start(t, { cwd });
  const ready = readyOf(cwd);
  t.match(ready, { url: /^http:\/\/127\.0\.0\.1:\d+$/, pid: running.child.pid, version: /^\d+\.\d+\.\d+$/ });
  t.equal(ready.data_dir, join(cwd, "data"));
  t.equal(statSync(join(cwd, "ready.json")).mode & 0o777, 0o600, "it holds the token: for the owner alone");
  t.ok(running.stdout.includes(ready.url) && running.stdout.includes(ready.token));

  const curls = running.stdout.match(/^ {2}curl (?:.*\\\n)*.*$/gm) ?? [];
  t.equal(curls.length, 2);
  const env = { WINNOW_URL: ready.url, WINNOW_TOKEN: ready.token };
  for (const command of curls) {
    const answer = execFileSync("sh", ["-c", command], { encoding: "utf8", env: childEnvironment() });
    t.match(JSON.parse(answer), { accepted: 1, dead_lettered: 0, warnings: [] });
  }
  const sent = await runCli(["send", "zabbix"], { env });
  t.same([sent.code, sent.stdout], [0, "1 alert accepted\n"]);
  const doctor = await runCli(["doctor"], { env });
  t.match(doctor.stdout, /^ok {7}reachable/m);

  running.child.kill("SIGTERM");
  t.equal(await running.ended, 0);
  t.match(running.stderr, /SIGTERM: stopping\nstopped\n$/);
  t.equal((await runCli(["get", "alerts"], { env })).code, 5);
  const replayed = await runCli(["replay", "--verify"], { cwd });
  t.equal(replayed.code, 0, replayed.stdout + replayed.stderr);
});

await t.test("a Ctrl-C that arrives twice is one, and still stops in order", async (t) => {
  const cwd = testFolder(t);
  const running = await start(t, { cwd }, ["-o", "json"]);
  running.child.kill("SIGINT");
  await running.until("stderr", /SIGINT: stopping/);
  running.child.kill("SIGINT");
  t.equal(await running.ended, 0);
  t.match(running.stderr, /stopped\n$/);
});

await t.test("with -o json the ready line is data", async (t) => {
  const cwd = testFolder(t);
  const running = await start(t, { cwd }, ["-o", "json"]);
  t.same(JSON.parse(running.stdout), readyOf(cwd));
});

await t.test("SIGHUP reads the configuration again, and an invalid one changes nothing", async (t) => {
  const cwd = testFolder(t, { "winnow.yaml": "version: 1\n" });
  const running = await start(t, { cwd });
  running.child.kill("SIGHUP");
  await running.until("stderr", /configuration read again/);
  writeFileSync(join(cwd, "winnow.yaml"), "version: 1\nlistn: 127.0.0.1:80\n");
  running.child.kill("SIGHUP");
  await running.until("stderr", /unknown key "listn"[^]*the one in force stays/);
  t.equal((await runCli(["doctor"], { env: { WINNOW_URL: readyOf(cwd).url } })).code, 1, "it still answers");
});

await t.test("a configuration with errors is shown with a caret, exit 1, and no ready file", async (t) => {
  const cwd = testFolder(t, { "winnow.yaml": "version: 1\nlistn: 127.0.0.1:80\n", "ready.json": "{}" });
  const { code, stdout, stderr } = await runCli(flags, { cwd });
  t.same([code, stdout], [1, ""]);
  t.match(stderr, /winnow\.yaml:2:1: unknown key "listn"[^]*\n {4}\| \^\n {2}hint: did you mean "listen"\?\n$/);
  t.notOk(existsSync(join(cwd, "ready.json")), "the one of an earlier run is gone");
  t.equal((await runCli(["up", "--config", "nowhere.yaml"], { cwd })).code, 1);
});

await t.test("a port that is taken is said in a sentence", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { code, stderr } = await runCli(["up", "--listen", `127.0.0.1:${port}`], { cwd: testFolder(t) });
  t.equal(code, 1);
  t.match(stderr, /EADDRINUSE/);
  t.notMatch(stderr, /\n {4}at /, "no stack");
});

await t.test("a data directory serves one process", async (t) => {
  const cwd = testFolder(t);
  await start(t, { cwd }, ["-o", "json"]);
  const { code, stderr } = await runCli(["up", "--listen", "127.0.0.1:0"], { cwd });
  t.equal(code, 1);
  t.match(stderr, /data_dir_locked/);
  t.equal((await runCli(["replay", "--verify"], { cwd })).code, 1);
});

await t.test("the banner names the integrations of the configuration, and how their tokens are found", async (t) => {
  const sources =
    "sources:\n  prom-eu: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } } }\n" +
    "  nag: { type: nagios, auth: { query: { env: NAGIOS_TOKEN } } }\n";
  const cwd = testFolder(t, { "winnow.yaml": `version: 1\n${sources}` });
  const env = { AM_TOKEN: "am-secret", NAGIOS_TOKEN: "nagios-secret" };
  const running = await start(t, { cwd, env });
  t.match(running.stdout, /\/v1\/in\/prom-eu" \\\n {4}-H "Authorization: Bearer \$AM_TOKEN"/);
  t.match(running.stdout, /\/v1\/in\/nag\?token=\$NAGIOS_TOKEN" \\/);
  t.notMatch(running.stdout, /am-secret|nagios-secret/);
  for (const command of running.stdout.match(/^ {2}curl (?:.*\\\n)*.*$/gm) ?? []) {
    const answer = execFileSync("sh", ["-c", command], { encoding: "utf8", env: childEnvironment(env) });
    t.match(JSON.parse(answer), { accepted: 1 });
  }
});

await t.test("the demo delivers to its fake", async (t) => {
  const cwd = testFolder(t);
  const running = await start(t, { cwd }, ["--demo"]);
  const { url, token } = readyOf(cwd);
  const [ledger = ""] = /http:\S+__ledger/.exec(running.stdout) ?? [];
  t.not(ledger, "");
  const events = await fetch(`${url}/v1/events`, { headers: { authorization: `Bearer ${token}` } });
  t.equal(events.status, 200);
  let said = "";
  for await (const chunk of (events.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    said += chunk;
    if (said.includes("orders-db")) break;
  }
  t.match(said, /orders-db/);
  running.child.kill("SIGTERM");
  t.equal(await running.ended, 0);
});

await t.test("through the launcher signals arrive, and the ready file has the pid of what serves", async (t) => {
  const launcher = fileURLToPath(new URL("../../bin/winnow.mjs", import.meta.url));
  const cwd = testFolder(t);
  const running = await start(t, { cwd, program: [process.execPath, launcher] }, ["-o", "json"]);
  process.kill(readyOf(cwd).pid, "SIGTERM");
  t.equal(await running.ended, 0);
});
