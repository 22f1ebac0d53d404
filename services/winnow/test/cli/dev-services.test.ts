import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { type CliRun, runCli } from "./run-cli.ts";

const server = createServer((socket) => socket.on("error", () => {}));
server.listen(0, "127.0.0.1");
await once(server, "listening");
t.teardown(() => server.close());
const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;

await t.test("services are started in the background, told of, and stopped", async (t) => {
  const cache = mkdtempSync(join(tmpdir(), "winnow-cache-"));
  const env = { WINNOW_CACHE: cache, WINNOW_TEST_REDIS: url };
  const dev = (...args: readonly string[]): Promise<CliRun> => runCli(["dev", "services", ...args], { env });
  t.teardown(async () => {
    await dev("down");
    rmSync(cache, { recursive: true });
  });
  t.match(await dev("status"), { code: 1, stdout: "", stderr: /no services run/ });
  const services = [{ kind: "redis", url, origin: "given", version: null }];
  const up = await dev("up", "redis", "-o", "json");
  t.equal(up.code, 0);
  t.same(JSON.parse(up.stdout), { services, unavailable: [] });
  t.match(up.stderr, `export WINNOW_TEST_REDIS=${url}`);
  const status = await dev("status", "-o", "json");
  t.equal(status.code, 0);
  t.same(JSON.parse(status.stdout), { services, unavailable: [] });
  t.match(await dev("down"), { code: 0, stderr: "stopped\n" });
  t.equal((await dev("status")).code, 1);
  t.match(await dev("down"), { code: 0, stderr: "nothing ran\n" });
});

await t.test("a service that cannot be had fails the command, says why, and leaves nothing running", async (t) => {
  const env = { WINNOW_CACHE: testFolder(t), WINNOW_TEST_POSTGRES: url };
  const up = await runCli(["dev", "services", "up", "postgres"], { env });
  t.match(up, { code: 1, stdout: "", stderr: /no postgres: WINNOW_TEST_POSTGRES is not an address/ });
  t.match(await runCli(["dev", "services", "down"], { env }), { code: 0, stderr: "nothing ran\n" });
});

await t.test("a service that nobody knows is a matter of usage", async (t) => {
  const up = await runCli(["dev", "services", "up", "mysql"], { env: { WINNOW_CACHE: testFolder(t) } });
  t.match(up, { code: 2, stderr: /no service "mysql"[\s\S]*kafka, redis, postgres/ });
});
