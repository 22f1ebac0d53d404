import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { relinkInside } from "../src/relink.ts";

await t.test("links of an unpacked package lead to its own files, others stay", async (t) => {
  const tree = testFolder(t, {
    etc: { java: { "java.security": "settings" } },
    usr: {
      lib: {
        absolute: t.fixture("symlink", "/etc/java/java.security"),
        folder: t.fixture("symlink", "/etc/java"),
        outside: t.fixture("symlink", "/etc/ssl/certs/java/cacerts"),
        relative: t.fixture("symlink", "../../etc/java"),
      },
    },
  });
  await relinkInside(tree);
  const targetOf = (name: string): string => readlinkSync(join(tree, "usr/lib", name));
  t.equal(targetOf("absolute"), "../../etc/java/java.security");
  t.equal(targetOf("folder"), "../../etc/java");
  t.equal(targetOf("outside"), "/etc/ssl/certs/java/cacerts");
  t.equal(targetOf("relative"), "../../etc/java");
});
