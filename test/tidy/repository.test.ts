import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../tools/run-tool.ts";

/** What would tie the repository to the machine or the mirror it was written on. */
const FOREIGN: readonly { what: string; pattern: RegExp }[] = [
  { what: "a path of one machine", pattern: /(?<![\w.*-])\/(?:work|root|home\/[a-z][\w-]*|Users\/[a-z][\w-]*)\// },
  { what: "a package registry's host", pattern: /\b(?:registry|npm|mirror)\.[a-z0-9-]+\.(?:org|com|net|io|dev)\b/i },
  { what: "a package registry's address", pattern: /\bhttps?:\/\/[^\s"']*\/-\/[^\s"']*\.tgz/ },
];

interface LockEntry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

await t.test("no file names a machine's paths or a package registry", async (t) => {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0");
  const paths = files.filter((path) => path !== "");
  t.ok(paths.length > 50, `${paths.length} files were read`);
  for (const path of paths) {
    const text = readIfThere(join(ROOT, path));
    if (text === undefined || text.includes("\0")) {
      continue;
    }
    const found = FOREIGN.filter(({ pattern }) => pattern.test(text)).map(({ what }) => what);
    t.same(found, [], path);
  }
});

await t.test("the patterns find what they are for", async (t) => {
  const planted = [
    ["", "work", "main"],
    ["", "root", ".npmrc"],
    ["", "home", "ada", "x"],
  ].map((parts) => parts.join("/"));
  for (const text of [...planted, ["registry", "npmjs", "org"].join("."), `see ${planted[0]}/x`]) {
    t.ok(
      FOREIGN.some(({ pattern }) => pattern.test(`${text}/`)),
      text,
    );
  }
  for (const text of ["sources/registry.ts", "registry.get(name)", "npm.cmd", "https://x.example/work/1"]) {
    t.notOk(
      FOREIGN.some(({ pattern }) => pattern.test(text)),
      text,
    );
  }
});

await t.test("the lock file has no download address and a checksum for every package", async (t) => {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockEntry>;
  };
  const installed = Object.entries(lock.packages).filter(([path]) => path.startsWith("node_modules/"));
  t.ok(installed.length > 100, `${installed.length} entries were read`);
  for (const [path, entry] of installed) {
    t.notMatch(entry.resolved ?? "", /:/, `${path} is not tied to a host`);
    t.ok(entry.link === true || entry.integrity !== undefined, `${path} has a checksum`);
  }
});

/** undefined where a file in the index was deleted in the working tree. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}
