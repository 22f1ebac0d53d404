import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import t from "tap";
import { ROOT } from "../../tools/run-tool.ts";

const doc = readFileSync(join(ROOT, "docs/add-a-source.md"), "utf8");
const commands = [...doc.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) => block.trim().split("\n"));

/** A copy of what a source needs, with its own packages in its own node_modules. */
function copyOfRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), "winnow-add-a-source-"));
  for (const name of ["packages", "tools", "package.json", "tsconfig.json", "biome.json"])
    cpSync(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => basename(path) !== "node_modules",
    });
  const modules = join(copy, "node_modules");
  mkdirSync(join(modules, "@winnow"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules")))
    if (name !== "@winnow") symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  for (const name of readdirSync(join(copy, "packages")))
    symlinkSync(join(copy, "packages", name), join(modules, "@winnow", name));
  // Biome takes its ignore file from the repository that it runs in.
  execFileSync("git", ["init", "--quiet"], { cwd: copy });
  return copy;
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a command of the document in the copy. `npx` is left out, since the copy has the same programs. */
function run(command: string, copy: string): Outcome {
  const [program = "", ...args] = command.replace(/^npx /, "").split(" ");
  const path = program === "node" ? process.execPath : join(copy, "node_modules/.bin", program);
  const { TAP: _tap, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(path, args, { cwd: copy, encoding: "utf8", env });
  return { status, output: `${stdout}${stderr}` };
}

await t.test("the steps of docs/add-a-source.md give a source that keeps the contract", async (t) => {
  const copy = copyOfRepository();
  t.teardown(() => {
    rmSync(copy, { recursive: true });
  });
  t.equal(commands.length, 4, "every command of the document is run");
  for (const command of commands) {
    const { status, output } = run(command, copy);
    t.equal(status, 0, `${command}\n${status === 0 ? "" : output}`);
    if (command.includes("contract.test.ts")) t.match(output, /^ok \d+ - uptime-kuma/m, "the new source was tested");
  }
  const folder = join(copy, "packages/sources/src/uptime-kuma");
  t.match(readFileSync(join(folder, "fixtures/firing.json"), "utf8"), '"expected"');

  const contract = commands.find((command) => command.includes("contract.test.ts")) ?? "";
  await t.test("a source whose hosts share an alert fails it", async (t) => {
    spoil(join(folder, "normalise.ts"), '{ k: "host", v: host }', '{ k: "host", v: "any" }', () => {
      const { status, output } = run(contract, copy);
      t.not(status, 0);
      t.match(output, /not ok .*the same check on two hosts makes two alerts/);
    });
  });
  await t.test("a source that throws at junk fails it", async (t) => {
    spoil(join(folder, "normalise.ts"), "if (!isFields(body)) return", "if (body === 0) return", () => {
      t.not(run(contract, copy).status, 0);
    });
  });
  await t.test("a folder without a registry entry fails it", async (t) => {
    spoil(join(copy, "packages/sources/src/registry.ts"), /,\s*uptimeKuma/, "", () => {
      const { status, output } = run(contract, copy);
      t.not(status, 0);
      t.match(output, /not ok .*every source folder is in the registry/);
    });
  });
  await t.test("a name that is taken or no name is refused", async (t) => {
    for (const name of ["uptime-kuma", "Uptime", "../x", ""])
      t.equal(run(`npx node tools/new-source.ts ${name}`, copy).status, 2);
  });
});

/** Changes a file for the time of a check; the change has to be one. */
function spoil(path: string, from: string | RegExp, to: string, check: () => void): void {
  const text = readFileSync(path, "utf8");
  const spoilt = text.replace(from, to);
  t.not(spoilt, text, `${basename(path)} was spoilt`);
  writeFileSync(path, spoilt);
  check();
  writeFileSync(path, text);
}
