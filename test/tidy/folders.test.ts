import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { ROOT } from "../../tools/run-tool.ts";

const HELPER = "packages/testkit/src/folder.ts";

await t.test("a test's folder is there until its last teardown has run, and gone then", async (t) => {
  const seen: boolean[] = [];
  let folder = "";
  await t.test("with a program in it", async (t) => {
    folder = testFolder(t, { "winnow.yaml": "version: 1\n" });
    t.teardown(() => seen.push(existsSync(join(folder, "winnow.yaml"))));
  });
  t.same(seen, [true]);
  t.notOk(existsSync(folder));
});

await t.test("every test gets its folder there", (t) => {
  const modules = execFileSync("git", ["ls-files", "-z", "*.ts"], { cwd: ROOT, encoding: "utf8" }).split("\0");
  const callers = modules.filter(
    (path) => path !== "" && existsSync(join(ROOT, path)) && /\.testdir\(/.test(readFileSync(join(ROOT, path), "utf8")),
  );
  t.same(callers, [HELPER]);
  t.end();
});
