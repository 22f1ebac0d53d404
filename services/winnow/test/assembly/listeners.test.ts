import { rmSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "@winnow/platform";
import t from "tap";
import { startProcess } from "../../src/assembly/assemble.ts";

await t.test("the installation's token stays revoked over a restart; without its file another is made", async (t) => {
  const cwd = t.testdir({});
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
