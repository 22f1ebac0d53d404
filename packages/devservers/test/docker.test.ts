import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t, { type Test } from "tap";
import { bringServers } from "../src/bring-servers.ts";
import { hasDockerEngine, runContainer } from "../src/docker.ts";

/** A `docker` that notes what it is told, first on the path. `body` may answer otherwise. */
function fakeDocker(t: Test, body = ""): { readonly notes: () => readonly string[]; readonly folder: string } {
  const folder = testFolder(t, { notes: "" });
  const program = join(folder, "docker");
  writeFileSync(program, `#!/bin/sh\necho "$*" >> ${folder}/notes\n${body}\nexit 0\n`);
  chmodSync(program, 0o755);
  const path = process.env["PATH"];
  process.env["PATH"] = `${folder}:${path}`;
  t.teardown(() => {
    process.env["PATH"] = path;
  });
  return { folder, notes: () => readFileSync(join(folder, "notes"), "utf8").split("\n").filter(Boolean) };
}

function container(): Parameters<typeof runContainer>[0] {
  return {
    image: "thing:1",
    port: { inside: 1, outside: 15_001 },
    env: { KEY: "value" },
    command: ["thing", "--flag"],
    answers: () => Promise.resolve(true),
    log: () => {},
  };
}

await t.test("a client whose engine answers counts", async (t) => {
  fakeDocker(t, "echo 28.0.0");
  t.equal(await hasDockerEngine(), true);
});

await t.test("a client without an engine does not count", async (t) => {
  fakeDocker(t, "exit 1");
  t.equal(await hasDockerEngine(), false);
});

await t.test("a client that hangs is given up", async (t) => {
  fakeDocker(t, "exec sleep 60");
  t.equal(await hasDockerEngine(300), false);
});

await t.test("a machine without a client has no engine", async (t) => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  t.teardown(() => {
    process.env["PATH"] = path;
  });
  t.equal(await hasDockerEngine(), false);
});

await t.test("a container lives by create, start, stop, kill, pause and is removed with its data", async (t) => {
  const { notes } = fakeDocker(t);
  const { controls, stop } = await runContainer(container());
  const name = / --name (\S+) /.exec(notes()[1] ?? "")?.[1] ?? "";
  await controls.restart();
  await controls.pause();
  await controls.kill9();
  await controls.start();
  await stop();
  t.match(name, /^winnow-[0-9a-f]{12}$/);
  t.same(notes(), [
    "image inspect thing:1",
    `create --name ${name} --publish 127.0.0.1:15001:1 --env KEY=value thing:1 thing --flag`,
    `start ${name}`,
    `stop --time 10 ${name}`,
    `start ${name}`,
    `pause ${name}`,
    `unpause ${name}`,
    `kill --signal KILL ${name}`,
    `wait ${name}`,
    `start ${name}`,
    `rm --force --volumes ${name}`,
  ]);
});

await t.test("a container that fails to start is removed, and its last words are passed on", async (t) => {
  const { notes } = fakeDocker(t, 'case "$1" in start) echo no room >&2; exit 1;; logs) echo last words;; esac');
  await t.rejects(runContainer(container()), /docker start failed with 1: no room\nlast words/);
  t.match(notes().at(-1), /^rm --force --volumes winnow-/);
});

await t.test("a container is removed when the test run is killed", async (t) => {
  const { folder, notes } = fakeDocker(t);
  const module = JSON.stringify(new URL("../src/docker.ts", import.meta.url).href);
  const script = `
    const { runContainer } = await import(${module});
    await runContainer({ ...${JSON.stringify(container())}, answers: async () => true, log: () => {} });
    process.send("up");
  `;
  const run = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(run, "message");
  const removed = Promise.withResolvers<void>();
  const watcher = watch(join(folder, "notes"), () => {
    if (notes().at(-1)?.startsWith("rm --force --volumes winnow-") === true) {
      removed.resolve();
    }
  });
  run.kill("SIGKILL");
  await removed.promise;
  watcher.close();
  t.pass("it was removed");
});

await t.test("where Docker fails the reason is kept beside that of the next way", async (t) => {
  const { folder } = fakeDocker(t, 'case "$1" in info) echo 28;; *) echo no network >&2; exit 1;; esac');
  const cache = process.env["WINNOW_CACHE"];
  // The fake alone with a shell: no apt, so no packages.
  process.env["PATH"] = folder;
  process.env["WINNOW_CACHE"] = join(folder, "cache");
  t.teardown(() => {
    if (cache === undefined) delete process.env["WINNOW_CACHE"];
    else process.env["WINNOW_CACHE"] = cache;
  });
  const { unavailable } = await bringServers({ kinds: ["redis"] });
  t.match(unavailable, [{ kind: "redis", reason: /^in Docker: docker pull failed with 1: no network; .*no apt/ }]);
});
