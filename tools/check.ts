/** Everything that can be said about the source without running it: `npm run check`. All steps run, also after a failure. */
import { installedCommand, runTool } from "./run-tool.ts";

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: "format", command: installedCommand("biome"), args: ["ci", "--colors=off"] },
  { name: "lint", command: installedCommand("oxlint"), args: [] },
  { name: "types", command: installedCommand("tsc"), args: ["--project", "tsconfig.json"] },
  { name: "types of core", command: installedCommand("tsc"), args: ["--project", "packages/core/tsconfig.json"] },
  { name: "boundaries", command: process.execPath, args: ["tools/boundaries.ts"] },
  { name: "unused", command: installedCommand("knip"), args: ["--no-progress", "--no-config-hints"] },
];

async function main(): Promise<void> {
  const failed: string[] = [];
  for (const step of STEPS) {
    const startedAt = performance.now();
    const { code, output } = await runTool(step.command, step.args);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${step.name} (${seconds} s)\n`);
    if (code !== 0) {
      failed.push(step.name);
      process.stdout.write(`${output.trimEnd()}\n`);
    }
  }
  if (failed.length > 0) {
    process.stdout.write(`check failed: ${failed.join(", ")}\n`);
    process.exitCode = 1;
  }
}

await main();
