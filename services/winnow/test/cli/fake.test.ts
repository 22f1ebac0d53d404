import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { runCli } from "./run-cli.ts";
import { Running } from "./running.ts";

await t.test("a fake prints its URL, keeps its ledger in the file, and ends with 0", async (t) => {
  const cwd = testFolder(t);
  for (const name of ["servicenow", "slack", "webhook"]) {
    const running = new Running(["fake", name, "--ledger", `${name}.jsonl`], { cwd });
    t.teardown(async () => {
      await running.kill();
    });
    const [url = ""] = await running.until("stdout", /http:\/\/127\.0\.0\.1:\d+/);
    const ledger = await fetch(`${url}/__ledger`);
    t.same(await ledger.json(), [], name);
    if (name === "webhook") {
      const posted = await fetch(`${url}/hook`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"a":1}',
      });
      t.ok(posted.ok);
      t.match(readFileSync(join(cwd, "webhook.jsonl"), "utf8"), /^\{"seq":1,.*\}\n$/);
    }
    running.child.kill("SIGTERM");
    t.equal(await running.ended, 0, name);
  }
});

await t.test("an address that makes no sense ends with 2", async (t) => {
  const { code, stderr } = await runCli(["fake", "slack", "--listen", "8080"]);
  t.equal(code, 2);
  t.match(stderr, /hint: write 127\.0\.0\.1:8080/);
});
