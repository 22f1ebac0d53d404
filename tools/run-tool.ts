import { type SpawnOptions, spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Path of a command that npm installed. */
export function installedCommand(name: string): string {
  return join(ROOT, "node_modules", ".bin", name);
}

/** Options under which a tool runs at the root and finds the same Node as this process first on its path. */
export function toolOptions(): SpawnOptions {
  const path = [dirname(process.execPath), join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter);
  return { cwd: ROOT, env: { ...process.env, PATH: path } };
}

/**
 * Runs a command to its end and gives its exit code (1 where a signal ended it) and what it printed.
 *
 * Under tap every child process gets NODE_OPTIONS that load tap's hooks, and those fail on commands written as modules
 * without a file ending (tsc, oxlint). `env` takes them off again; it cannot be done in `options`, tap adds them after.
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<{ code: number; output: string }> {
  const child = spawn("env", ["-u", "NODE_OPTIONS", command, ...args], {
    ...toolOptions(),
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return await new Promise((settle, fail) => {
    child.on("error", fail);
    child.on("close", (code) => {
      settle({ code: code ?? 1, output: Buffer.concat(chunks).toString("utf8") });
    });
  });
}
