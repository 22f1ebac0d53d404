import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { reasonCodes } from "@winnow/contracts";
import { errorCodes } from "@winnow/platform";
import t from "tap";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));
const pages = tracked.filter(
  (path) => path.endsWith(".md") && !path.includes("/fixtures/") && !path.includes("templates/"),
);

await t.test("every link in a page leads to a file", async (t) => {
  for (const page of pages) {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(target)) continue;
      const path = normalize(join(dirname(page), target.split("#")[0] ?? ""));
      t.ok(existsSync(join(root, path)), `${page} links ${target}`);
    }
  }
});

await t.test("every path in the documents' code exists", async (t) => {
  const places = new Set(readdirSync(root));
  for (const page of ["README.md", "CONTRIBUTING.md", ...pages.filter((path) => path.startsWith("docs/"))]) {
    for (const [, path = ""] of read(page).matchAll(/`([\w@.-]+\/[\w@./-]+)`/g)) {
      if (!places.has(path.split("/")[0] ?? "") || /[<>*]|NAME/.test(path)) continue;
      t.ok(existsSync(join(root, path)), `${page} names ${path}`);
    }
  }
});

await t.test("the architecture page has one line for every workspace folder and none for another", async (t) => {
  const rows = [...read("docs/architecture.md").matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)];
  const folders = rows.map(([, folder = ""]) => folder);
  for (const folder of folders) t.ok(existsSync(join(root, folder)), `${folder} exists`);
  for (const [, folder, sentence = ""] of rows) t.ok(sentence.endsWith("."), `${folder} is told in a sentence`);
  for (const group of ["packages", "services"])
    for (const name of readdirSync(join(root, group)))
      t.ok(folders.includes(`${group}/${name}`), `${group}/${name} is told`);
});

await t.test("the page of error codes says what the code says", async (t) => {
  const rows = [...read("docs/errors.md").matchAll(/^\| `(\w+)` \| (\w+) \| (.+) \|$/gm)];
  const told = Object.fromEntries(rows.map(([, code = "", retry, means]) => [code, { retry, means }]));
  t.same(told, errorCodes);
});

await t.test("the pipeline can be read in one file of at most 60 lines that names the stages in order", async (t) => {
  const text = read("services/winnow/src/pipeline.ts");
  t.ok(text.split("\n").length <= 60);
  const order = ["receiver", "A dedup", "B correlate", "C record", "tickets"].map((word) => text.indexOf(word));
  t.same(
    order,
    order.toSorted((left, right) => left - right),
  );
  t.ok(order.every((at) => at >= 0));
});

await t.test("every command that the README names exists", async (t) => {
  const { NODE_OPTIONS: _hooks, ...env } = process.env;
  const help = execFileSync(process.execPath, ["services/winnow/bin/winnow.mjs", "--help"], {
    cwd: root,
    encoding: "utf8",
    env,
  });
  const names = new Set([...read("README.md").matchAll(/(?:npx |`)winnow ([a-z]+)/g)].map(([, name = ""]) => name));
  t.ok(names.size >= 10);
  for (const name of names) t.match(help, new RegExp(`^\\s+${name}\\b`, "m"), `winnow ${name}`);
});

await t.test("every npm script that a page names exists", async (t) => {
  const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts);
  for (const page of pages)
    for (const [, name = ""] of read(page).matchAll(/npm run ([a-z][\w:-]*)/g))
      t.ok(scripts.includes(name), `${page}: npm run ${name}`);
});

await t.test("reason codes are words of the closed list and nothing else is stored as one", async (t) => {
  t.ok(reasonCodes.length > 30);
  for (const code of reasonCodes) t.match(code, /^[a-z_]+$/);
});
