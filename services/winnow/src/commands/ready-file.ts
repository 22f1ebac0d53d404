import { renameSync, rmSync, writeFileSync } from "node:fs";
import { CommandFailed, exitCodes } from "./exit-codes.ts";

/** What a script that waits for Winnow needs. */
export interface Ready {
  readonly url: string;
  readonly token: string;
  readonly data_dir: string;
  readonly pid: number;
  readonly version: string;
}

/** Writes it whole or not at all, for the owner alone: it holds the token. */
export function writeReadyFile(path: string, ready: Ready): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, `${JSON.stringify(ready)}\n`, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new CommandFailed(exitCodes.failed, `the ready file ${path} cannot be written: ${codeOf(error)}`);
  }
}

export function removeReadyFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new CommandFailed(exitCodes.failed, `the old ready file ${path} cannot be removed: ${codeOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
