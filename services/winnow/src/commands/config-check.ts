import { readConfiguration } from "../assembly/configuration.ts";
import { reportFindings } from "./findings.ts";
import type { Invocation } from "./invocation.ts";

/** `winnow config check [FILE]`: everything that a start would check, without starting. */
export async function checkConfig(invocation: Invocation): Promise<number> {
  const { args, terminal } = invocation;
  const file = typeof args[0] === "string" ? args[0] : "winnow.yaml";
  const loaded = readConfiguration({ file, cwd: terminal.cwd, env: terminal.env.all });
  // A secret that is missing here may be there where Winnow runs: a build machine has none.
  const notes = loaded.warnings.filter(({ code }) => code === "variable_unset");
  const warnings = loaded.warnings.filter(({ code }) => code !== "variable_unset");
  const files = loaded.texts.size === 0 ? [file] : [...loaded.texts.keys()];
  const errors = loaded.ok ? [] : loaded.errors;
  return await reportFindings(invocation, { files, errors, warnings, notes, texts: loaded.texts });
}
