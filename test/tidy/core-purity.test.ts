import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { installedCommand, ROOT, runTool } from "../../tools/run-tool.ts";

/** Each of these would make a decision depend on more than its input. */
const IMPURE: Readonly<Record<string, string>> = {
  "the clock": "export const planted = Date.now();",
  "a date of now": "export const planted = new Date();",
  "the other clock": "export const planted = Temporal.Now.instant();",
  chance: "export const planted = Math.random();",
  "chance by destructuring": "const { random } = Math;\nexport const planted = random();",
  "the locale": `export const planted = new Intl.Collator().compare("a", "b");`,
  "the process": "export const planted = process.pid;",
  "the environment": `export const planted = process.env["HOME"];`,
  "a timer": "setTimeout(() => undefined, 1);",
  "a repeating timer": "setInterval(() => undefined, 1);",
  "a microtask": "queueMicrotask(() => undefined);",
  "the network": `export const planted = fetch("http://example.test/");`,
  "a log line": `console.log("planted");`,
  "the performance clock": "export const planted = performance.now();",
  "web crypto": "export const planted = crypto.randomUUID();",
  "a buffer": `export const planted = Buffer.from("x");`,
  "the global object": `export const planted = Reflect.get(globalThis, "Date");`,
  "the file system": `import { readFileSync } from "node:fs";\nexport const planted = readFileSync("x");`,
  "the file system's types": `import type { Stats } from "node:fs";\nexport type Planted = Stats;`,
  "the file system, later": `export const planted = import("node:fs");`,
  "the process as a module": `import { pid } from "node:process";\nexport const planted = pid;`,
};

const PURE = `export const planted = Math.max(1, 2);\nexport const at = (nowMs: number): number => nowMs + 1;\n`;

await t.test("what makes a decision impure is refused in core, by the compiler or by the linter", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "winnow-core-"));
  t.teardown(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const core = join(root, "packages", "core");
  mkdirSync(core, { recursive: true });
  for (const path of ["tsconfig.json", ".oxlintrc.json", "package.json", "packages/core"]) {
    cpSync(join(ROOT, path), join(root, path), { recursive: true, filter: (from) => !from.includes("node_modules") });
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));

  const before = await verdict(root);
  t.equal(before.types.code, 0, `core as it stands compiles without Node's types\n${before.types.output}`);

  writeFileSync(join(core, "src", "planted-pure.ts"), PURE);
  const planted = Object.entries(IMPURE).map(([title, text], index) => ({ title, file: `planted-${index}.ts`, text }));
  for (const { file, text } of planted) {
    writeFileSync(join(core, "src", file), `${text}\n`);
  }
  const after = await verdict(root);
  t.not(after.types.code, 0);
  t.not(after.lint.code, 0);
  t.notMatch(after.types.output + after.lint.output, "planted-pure.ts", "a pure module passes both");
  for (const { title, file } of planted) {
    const refusedBy = [
      ...(after.types.output.includes(`${file}(`) ? ["compiler"] : []),
      ...(after.lint.output.includes(`${file}:`) ? ["linter"] : []),
    ];
    t.not(refusedBy.length, 0, `${title} is refused (${refusedBy.join(" and ")})`);
  }
});

type Run = Awaited<ReturnType<typeof runTool>>;

async function verdict(root: string): Promise<{ types: Run; lint: Run }> {
  const types = await runTool(installedCommand("tsc"), ["--pretty", "false", "--project", join(root, "packages/core")]);
  // Rules that hold for a folder are found by the path below the settings file, so the linter runs inside the copy.
  const lint = await runTool(installedCommand("oxlint"), ["--format=unix", "packages/core/src"], { cwd: root });
  return { types, lint };
}
