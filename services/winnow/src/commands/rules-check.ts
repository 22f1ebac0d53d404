import { globSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { YamlProblem } from "@winnow/platform";
import { parseRules } from "@winnow/rules";
import { sources } from "@winnow/sources";
import { CommandFailed, exitCodes } from "./exit-codes.ts";
import { reportFindings } from "./findings.ts";
import { argumentList, type Invocation } from "./invocation.ts";

/**
 * `winnow rules check [PATH…]`: the rule parts of files, each by itself. Destinations and integrations may be defined
 * elsewhere, so their names are not judged: `winnow config check` does that.
 */
export async function checkRules(invocation: Invocation): Promise<number> {
  const { cwd } = invocation.terminal;
  const given = argumentList(invocation, 0);
  const files = (given.length === 0 ? ["winnow.yaml"] : given).flatMap((path) => filesOf(path, cwd));
  const errors: YamlProblem[] = [];
  const warnings: YamlProblem[] = [];
  const texts = new Map<string, string>();
  const sourceTypes = sources.map(({ type }) => type);
  for (const file of new Set(files)) {
    const text = read(file, cwd);
    texts.set(file, text);
    const parsed = parseRules(text, file, { sourceTypes });
    if (parsed.ok) warnings.push(...parsed.warnings);
    else errors.push(...parsed.errors);
  }
  return await reportFindings(invocation, { files: [...texts.keys()], errors, warnings, notes: [], texts });
}

/** The file itself, or the YAML files in a folder and below. */
function filesOf(path: string, cwd: string): readonly string[] {
  const stats = statSync(resolve(cwd, path), { throwIfNoEntry: false });
  if (stats === undefined) throw new CommandFailed(exitCodes.failed, `there is no ${path}`);
  if (!stats.isDirectory()) return [path];
  const found = globSync("**/*.{yaml,yml}", { cwd: resolve(cwd, path) }).toSorted();
  if (found.length === 0) throw new CommandFailed(exitCodes.failed, `there are no YAML files in ${path}`);
  return found.map((name) => join(path, name));
}

function read(file: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, file), "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new CommandFailed(exitCodes.failed, `${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
