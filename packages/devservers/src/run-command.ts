import { execFile } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  /** Whom it runs as; ours to choose for root alone. */
  readonly user?: UserIds;
}

/** A user of the system, by number. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

export interface CommandResult {
  /** The exit code; 127 where the program is not there, 124 where its time was up. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;

/** Runs a program to its end. A program that fails is a result, never a throw. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const settings = {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...options.user,
    timeout: options.timeoutMs ?? 120_000,
    maxBuffer: OUTPUT_BYTES_MAX,
    encoding: "utf8" as const,
  };
  return new Promise((resolve) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      if (error === null) {
        resolve({ code: 0, stdout, stderr });
        return;
      }
      const code = typeof error.code === "number" ? error.code : error.killed === true ? 124 : 127;
      resolve({ code, stdout, stderr: stderr === "" ? error.message : stderr });
    });
  });
}
