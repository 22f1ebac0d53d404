import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { testFolder } from "@winnow/testkit/folder";
import t from "tap";
import { checkBoundaries } from "../../tools/boundaries.ts";
import { LAYERS } from "../../tools/layers.ts";
import { ROOT } from "../../tools/run-tool.ts";

interface Planted {
  readonly title: string;
  readonly path: string;
  readonly text: string;
  /** What the one violation must say; undefined where the import is allowed. */
  readonly refusal: RegExp | undefined;
}

interface Tree {
  [name: string]: Tree | string;
}

const CORE = "packages/core/src/planted.ts";
const PLATFORM_REFUSED = /packages\/core may not import @winnow\/platform/;

const PLANTED: readonly Planted[] = [
  { title: "a static import", path: CORE, text: `import { a } from "@winnow/platform";`, refusal: PLATFORM_REFUSED },
  { title: "an import for effect", path: CORE, text: `import "@winnow/platform";`, refusal: PLATFORM_REFUSED },
  {
    title: "a type-only import",
    path: CORE,
    text: `import type { A } from "@winnow/platform";`,
    refusal: PLATFORM_REFUSED,
  },
  {
    title: "a re-export of names",
    path: CORE,
    text: `export { a } from "@winnow/platform";`,
    refusal: PLATFORM_REFUSED,
  },
  { title: "a re-export of all", path: CORE, text: `export * from "@winnow/platform";`, refusal: PLATFORM_REFUSED },
  { title: "a dynamic import", path: CORE, text: `await import("@winnow/platform");`, refusal: PLATFORM_REFUSED },
  {
    title: "a template-literal import",
    path: CORE,
    text: "await import(`@winnow/platform`);",
    refusal: PLATFORM_REFUSED,
  },
  { title: "an import type", path: CORE, text: `type T = import("@winnow/platform").A;`, refusal: PLATFORM_REFUSED },
  {
    title: "an import assignment",
    path: CORE,
    text: `import a = require("@winnow/platform");`,
    refusal: PLATFORM_REFUSED,
  },
  { title: "a require", path: CORE, text: `require("@winnow/platform");`, refusal: PLATFORM_REFUSED },
  { title: "a resolve", path: CORE, text: `import.meta.resolve("@winnow/platform");`, refusal: PLATFORM_REFUSED },
  { title: "a path below a package", path: CORE, text: `import "@winnow/platform/x";`, refusal: PLATFORM_REFUSED },
  {
    title: "a service's starter that hands over to the launcher",
    path: "services/router/main.mjs",
    text: `await import("../winnow/bin/winnow.mjs");`,
    refusal: undefined,
  },
  {
    title: "a service's module that names the launcher",
    path: "services/router/src/planted.ts",
    text: `await import("../../winnow/bin/winnow.mjs");`,
    refusal: /leaves services\/router/,
  },
  {
    title: "a service's starter that names another's module",
    path: "services/router/main.mjs",
    text: `await import("../receiver/src/receiver.ts");`,
    refusal: /leaves services\/router/,
  },
  { title: "a computed import", path: CORE, text: "await import(name);", refusal: /computed module name/ },
  { title: "a reference comment", path: CORE, text: `/// <reference types="node" />`, refusal: /reference comment/ },
  { title: "node: in core", path: CORE, text: `import "node:fs/promises";`, refusal: /library "node:fs\/promises"/ },
  { title: "a library in core", path: CORE, text: `import "fastify";`, refusal: /library "fastify"/ },
  {
    title: "a relative path out of the package",
    path: CORE,
    text: `import "../../contracts/src/index.ts";`,
    refusal: /leaves packages\/core/,
  },
  {
    title: "a worker of another package",
    path: CORE,
    text: `new URL("../../runtime/src/x.worker.ts", import.meta.url);`,
    refusal: /leaves packages\/core/,
  },
  { title: "an absolute path", path: CORE, text: `import "/etc/x.js";`, refusal: /neither a package nor/ },
  { title: "a web address", path: CORE, text: `import "https://example.test/x.js";`, refusal: /neither a package nor/ },
  {
    title: "a service importing another service",
    path: "services/router/src/planted.ts",
    text: `import type { A } from "@winnow/correlator";`,
    refusal: /services\/router may not import @winnow\/correlator/,
  },
  {
    title: "a service importing the testkit",
    path: "services/winnow/src/planted.ts",
    text: `import "@winnow/testkit";`,
    refusal: /services\/winnow may not import @winnow\/testkit/,
  },
  {
    title: "a package importing a service",
    path: "packages/testkit/src/planted.ts",
    text: `import "@winnow/receiver";`,
    refusal: /packages\/testkit may not import @winnow\/receiver/,
  },
  { title: "a package without a layer", path: "packages/new/src/x.ts", text: "", refusal: /no place in the layering/ },
  { title: "a file that cannot be parsed", path: CORE, text: "import {", refusal: /cannot be parsed/ },
  { title: "core importing contracts", path: CORE, text: `import "@winnow/contracts";`, refusal: undefined },
  { title: "a neighbour in the package", path: CORE, text: `import "./x/y.ts";`, refusal: undefined },
  {
    title: "the winnow service importing another service",
    path: "services/winnow/src/planted.ts",
    text: `import "@winnow/receiver";`,
    refusal: undefined,
  },
  {
    title: "a package's own test importing the testkit and node:",
    path: "packages/core/test/planted.test.ts",
    text: `import "@winnow/testkit"; import "node:fs"; import "../src/index.ts";`,
    refusal: undefined,
  },
  {
    title: "a package's own test reaching into another package's folder",
    path: "packages/core/test/planted.test.ts",
    text: `import "../../rules/src/index.ts";`,
    refusal: /leaves packages\/core/,
  },
];

for (const { title, path, text, refusal } of PLANTED) {
  await t.test(`${title} is ${refusal === undefined ? "allowed" : "refused"}`, async (t) => {
    const report = checkBoundaries(testFolder(t, tree(path, text)));
    t.equal(report.modules, 1);
    t.equal(report.violations.length, refusal === undefined ? 0 : 1, report.violations.join("\n"));
    if (refusal !== undefined) {
      t.match(report.violations[0], refusal);
      t.match(report.violations[0], `${path}:1: `, "the line is named");
    }
  });
}

await t.test("the command fails where it sees no module", async (t) => {
  const run = spawnSync(process.execPath, [join(ROOT, "tools/boundaries.ts"), testFolder(t)], { encoding: "utf8" });
  t.match(run.stdout, "0 modules seen");
  t.equal(run.status, 1);
});

await t.test("the command fails on a violation and prints it", async (t) => {
  const root = testFolder(t, tree(CORE, `\nimport "@winnow/platform";`));
  const run = spawnSync(process.execPath, [join(ROOT, "tools/boundaries.ts"), root], { encoding: "utf8" });
  t.match(run.stderr, `${CORE}:2: packages/core may not import @winnow/platform`);
  t.match(run.stdout, "1 modules seen, 1 violations");
  t.equal(run.status, 1);
});

await t.test("no layer may import upwards, not even round a corner", async (t) => {
  for (const home of Object.keys(LAYERS)) {
    t.notOk(reachable(home).has(home), `${home} cannot come to import itself`);
  }
});

/** A folder tree for `testFolder` with one file in it. */
function tree(path: string, text: string): Tree {
  const [name = "", ...rest] = path.split("/").toReversed();
  let node: Tree = { [name]: text };
  for (const folder of rest) {
    node = { [folder]: node };
  }
  return node;
}

function reachable(home: string): Set<string> {
  const seen = new Set<string>();
  const pending = [home];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const name of LAYERS[next]?.packages ?? []) {
      const target = `packages/${name}` in LAYERS ? `packages/${name}` : `services/${name}`;
      if (!seen.has(target)) {
        seen.add(target);
        pending.push(target);
      }
    }
  }
  return seen;
}
