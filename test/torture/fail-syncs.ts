import { bringPackages, runCommand, startTool, toolEnvironment } from "@winnow/devservers";

/** Makes every fsync and fdatasync of a running process fail with EIO, until it is stopped. */
export interface SyncFailure {
  stop(): Promise<void>;
}

/** A way to call strace, or why there is none. */
export type Strace =
  | { readonly command: string; readonly env: Readonly<Record<string, string>> }
  | { readonly unavailable: string };

/** The installed one, else Debian's package. */
export async function findStrace(): Promise<Strace> {
  if (process.platform !== "linux") return { unavailable: `strace is for Linux, this is ${process.platform}` };
  const installed = await runCommand("strace", ["-V"]);
  const path = process.env["PATH"] ?? "/usr/bin:/bin";
  if (installed.code === 0) return tryOut({ command: "strace", env: { PATH: path } });
  const brought = await bringPackages({ names: ["strace"] });
  if ("unavailable" in brought) return brought;
  return tryOut({ command: "strace", env: await toolEnvironment(brought.rootDir, brought.rootDir) });
}

/** Some machines allow no process to look into another. */
async function tryOut(strace: { command: string; env: Readonly<Record<string, string>> }): Promise<Strace> {
  const inject = ["-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"];
  const tried = await runCommand(strace.command, [...inject, "true"], { env: { ...strace.env } });
  return tried.code === 0 ? strace : { unavailable: `strace does not work here: ${tried.stderr.trim()}` };
}

/** Resolves once all threads of the process are in its grip. */
export async function failSyncs(pid: number, strace: Exclude<Strace, { unavailable: string }>): Promise<SyncFailure> {
  const calls = "fsync,fdatasync";
  const tool = startTool({
    command: strace.command,
    args: ["-f", "-p", String(pid), "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${calls}:error=EIO`],
    cwd: "/",
    env: { ...strace.env },
  });
  await tool.line(/attached/);
  return { stop: () => tool.stop() };
}
