import { formatErrors, type YamlProblem } from "@winnow/platform";
import { exitCodes } from "./exit-codes.ts";
import { type Invocation, show } from "./invocation.ts";
import { count } from "./words.ts";

/** What a check of files has found. */
export interface Findings {
  readonly files: readonly string[];
  readonly errors: readonly YamlProblem[];
  readonly warnings: readonly YamlProblem[];
  /** True today, and perhaps only here: they do not count. */
  readonly notes: readonly YamlProblem[];
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * Prints findings with their place and a caret, the errors first. For people on stderr, as with compilers; as JSON on
 * stdout. Exit 0 nothing, 1 errors, 3 warnings only.
 */
export async function reportFindings(invocation: Invocation, findings: Findings): Promise<number> {
  const { terminal, options } = invocation;
  const { files, errors, warnings, notes, texts } = findings;
  const data = { ok: errors.length === 0, files, errors, warnings, notes };
  await show(invocation, data, () => (errors.length + warnings.length === 0 ? `${verdict(findings)}\n` : ""));
  if (options.output === "table" || options.output === "wide") {
    for (const [style, word, problems] of [
      ["red", "error", errors],
      ["yellow", "warning", warnings],
      ["dim", "note", notes],
    ] as const) {
      for (const problem of problems) {
        terminal.say(`${terminal.paintTalk(style, `${word}:`)} ${formatErrors([problem], texts)}`);
      }
    }
    if (errors.length + warnings.length > 0) terminal.say(verdict(findings));
  }
  if (errors.length > 0) return exitCodes.failed;
  return warnings.length > 0 ? exitCodes.lint : exitCodes.ok;
}

function verdict({ files, errors, warnings }: Findings): string {
  const where = files.length === 1 ? files[0] : count(files.length, "file");
  if (errors.length + warnings.length === 0) return `${where}: ok`;
  const parts = [
    ...(errors.length > 0 ? [count(errors.length, "error")] : []),
    ...(warnings.length > 0 ? [count(warnings.length, "warning")] : []),
  ];
  return `${where}: ${parts.join(", ")}`;
}
