import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { openDataDirectory } from "../../src/assembly/data-directory.ts";
import { randomIds } from "../../src/assembly/platform-parts.ts";

await t.test("a data directory is made with its token, for the owner alone, and keeps it", async (t) => {
  const path = join(testFolder(t), "deep", "data");
  const data = openDataDirectory(path, randomIds);
  t.match(data.token, /^wnw_[0-9a-f]{32}$/);
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(statSync(join(path, "token")).mode & 0o777, 0o600);
  t.same(readdirSync(path).toSorted(), ["format.json", "lock.sqlite", "log", "token"], "no draft stays behind");
  data.release();
  const again = openDataDirectory(path, randomIds);
  t.equal(again.token, data.token);
  again.release();
});

await t.test(
  "one process at a time uses it, and the lock's file stays empty, so that nothing can tear it",
  async (t) => {
    const path = testFolder(t);
    const data = openDataDirectory(path, randomIds);
    t.throws(() => openDataDirectory(path, randomIds), { code: "data_dir_locked" });
    t.equal(readFileSync(join(path, "lock.sqlite")).length, 0);
    data.release();
    openDataDirectory(path, randomIds).release();
  },
);

await t.test("a directory of a newer version is refused and left as it is", async (t) => {
  const path = testFolder(t, { "format.json": '{"version":99}\n' });
  t.throws(() => openDataDirectory(path, randomIds), { code: "data_dir_newer" });
  t.equal(readFileSync(join(path, "format.json"), "utf8"), '{"version":99}\n');
});
