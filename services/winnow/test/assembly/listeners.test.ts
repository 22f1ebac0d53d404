import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "@winnow/platform";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { startProcess } from "../../src/assembly/assemble.ts";

await t.test("the installation's token stays revoked over a restart; without its file another is made", async (t) => {
  const cwd = testFolder(t);
  const start = async () =>
    startProcess({
      file: null,
      cwd,
      env: {},
      data: "data",
      listen: "127.0.0.1:0",
      version: "test",
      logger: createLogger({ level: "error" }),
      print: () => undefined,
    });
  const ask = async (url: string, token: string, method = "GET") =>
    fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
  const first = await start();
  const listed = await ask(`${first.url}/v1/tokens`, first.token);
  const { items } = (await listed.json()) as { items: { id: string }[] };
  t.equal((await ask(`${first.url}/v1/tokens/${items[0]?.id ?? ""}`, first.token, "DELETE")).status, 200);
  t.equal((await ask(`${first.url}/v1/incidents`, first.token)).status, 401);
  await first.stop();

  const second = await start();
  t.equal(second.token, first.token);
  t.equal((await ask(`${second.url}/v1/incidents`, second.token)).status, 401);
  await second.stop();

  rmSync(join(cwd, "data", "token"));
  const third = await start();
  t.not(third.token, first.token);
  t.equal((await ask(`${third.url}/v1/incidents`, third.token)).status, 200);
  await third.stop();
});

await t.test("a stopping process is not ready, and takes deliveries until the drain is over", async (t) => {
  const cwd = testFolder(t);
  writeFileSync(join(cwd, "winnow.yaml"), "version: 1\nlimits: { drain: 2s }\n");
  const running = await startProcess({
    file: "winnow.yaml",
    cwd,
    env: {},
    data: "data",
    listen: "127.0.0.1:0",
    version: "test",
    logger: createLogger({ level: "error" }),
    print: () => undefined,
  });
  const stopped = running.stop();
  t.equal((await fetch(`${running.url}/readyz`)).status, 503);
  const sent = await fetch(`${running.url}/v1/in/alertmanager`, {
    method: "POST",
    headers: { authorization: `Bearer ${running.token}`, "content-type": "application/json" },
    body: JSON.stringify({ version: "4", alerts: [{ status: "firing", labels: { alertname: "Late" } }] }),
  });
  t.equal(sent.status, 202);
  await stopped;
  await t.rejects(fetch(`${running.url}/readyz`));
});
