import { mkdir, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { bringPackages } from "../src/debian-packages.ts";
import { withFolderLock } from "../src/folder-lock.ts";

await t.test("a package that no archive has is unavailable, and its name is said", async (t) => {
  const result = await bringPackages({ names: ["winnow-no-such-package"] });
  t.match(result, { unavailable: /winnow-no-such-package|apt/ });
});

await t.test("a machine without apt has no packages", async (t) => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  t.teardown(() => {
    process.env["PATH"] = path;
  });
  const cacheDir = testFolder(t);
  t.same(await bringPackages({ names: ["curl"], cacheDir }), { unavailable: "this machine has no apt" });
});

await t.test("a folder lock lets one in at a time", async (t) => {
  const folder = join(testFolder(t), "lock");
  let inside = 0;
  const isAlone = await Promise.all(
    [1, 2, 3].map(() =>
      withFolderLock(folder, async () => {
        inside += 1;
        await readdir(folder);
        const alone = inside === 1;
        inside -= 1;
        return alone;
      }),
    ),
  );
  t.same(isAlone, [true, true, true]);
});

await t.test("a folder lock is free again after work that failed", async (t) => {
  const folder = join(testFolder(t), "lock");
  await t.rejects(
    withFolderLock(folder, () => Promise.reject(new Error("disk full"))),
    /disk full/,
  );
  t.equal(await withFolderLock(folder, () => Promise.resolve("second")), "second");
});

await t.test("a folder lock whose holder is gone is set aside", async (t) => {
  const folder = join(testFolder(t), "lock");
  await mkdir(folder);
  const longAgo = new Date(Date.now() - 120_000);
  await utimes(folder, longAgo, longAgo);
  t.equal(await withFolderLock(folder, () => Promise.resolve("in")), "in");
});
