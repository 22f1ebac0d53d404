import type { Environment } from "./secrets.ts";

/** The one place where the process's environment is read; everything else has it passed in. */
export function processEnvironment(): Environment {
  return { ...process.env };
}
