import { spawn } from "node:child_process";
import * as contracts from "@winnow/contracts";
import t from "tap";
import * as vocabulary from "../../src/commands/vocabulary.ts";
import { FakeApi } from "./fake-api.ts";
import { childEnvironment, cliFile } from "./run-cli.ts";
import { page } from "./samples.ts";

/** Runs the command with a hook that prints the URL of every module that is loaded. */
function modulesOf(args: readonly string[], env: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const hook = `import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) { process.stderr.write("load " + url + "\\n"); return next(url, context); } });`;
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const preload = `data:text/javascript,${encodeURIComponent(hook)}`;
  const child = spawn(process.execPath, ["--import", preload, cliFile, ...args], {
    env: childEnvironment(env),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.on("close", () => {
    resolve(stderr.split("\n").filter((line) => line.startsWith("load ")));
  });
  return promise;
}

await t.test("a short command loads nothing that only a server needs", async (t) => {
  const api = await FakeApi.start();
  t.teardown(async () => {
    await api.stop();
  });
  api.on("GET /v1/incidents", page([]));
  const modules = await modulesOf(["get", "incidents"], { WINNOW_URL: api.url, WINNOW_TOKEN: "wnw_test" });
  t.ok(modules.some((line) => line.endsWith("/commands/get.ts")));
  const heavy =
    /\/platform\/src\/index|\/undici\/|\/typebox\/|\/pino\/|\/prom-client\/|\/fastify\/|\/yaml\/|\/embedded\//;
  t.same(
    modules.filter((line) => heavy.test(line)),
    [],
  );
});

await t.test("the closed sets that options take are the contracts' own", async (t) => {
  t.same(vocabulary.incidentStates, contracts.incidentStates);
  t.same(vocabulary.priorities, contracts.priorities);
  t.same(vocabulary.deliveryStates, contracts.deliveryStates);
  t.same(vocabulary.deadLetterStates, contracts.deadLetterStates);
});
