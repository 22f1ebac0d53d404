import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../tools/run-tool.ts";

type Versions = Readonly<Record<string, string>>;

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

const manifests = ["package.json", ...globSync("{packages,services}/*/package.json", { cwd: ROOT })]
  .concat("test/package.json", "benchmarks/package.json")
  .map((path) => ({ path, manifest: JSON.parse(readFileSync(join(ROOT, path), "utf8")) as Manifest }));

const declared = manifests.flatMap(({ path, manifest }) =>
  Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }).map(
    ([name, version]) => ({ path, name, version }),
  ),
);

await t.test("every dependency has its line in docs/dependencies.md, and every line its dependency", async (t) => {
  const rows = [...readFileSync(join(ROOT, "docs/dependencies.md"), "utf8").matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)];
  const documented = rows.map((row) => row[1] ?? "");
  const libraries = declared.map(({ name }) => name).filter((name) => !name.startsWith("@winnow/"));
  t.same(documented.toSorted(), [...new Set(libraries)].toSorted());
  for (const row of rows) {
    const cells = (row[2] ?? "").split("|").map((cell) => cell.trim());
    t.equal(cells.length, 3, `${row[1]} says what for, why this one and what else`);
    t.notOk(cells.includes(""), `${row[1]} leaves no cell empty`);
  }
});

await t.test("every version is exact and the same in all workspaces", async (t) => {
  const first = new Map<string, string>();
  for (const { path, name, version } of declared) {
    t.match(version, /^\d+\.\d+\.\d+$/, `${name} in ${path}`);
    t.equal(version, first.get(name) ?? version, `${name} in ${path} is what the others have`);
    first.set(name, version);
  }
});

await t.test("every workspace is private and carries the licence", async (t) => {
  t.ok(manifests.length >= 18, `${manifests.length} manifests were read`);
  for (const { path, manifest } of manifests) {
    t.equal(manifest.private, true, path);
    t.equal(manifest.license, "Apache-2.0", path);
  }
});
