import { existsSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { initFiles } from "@winnow/platform";
import { ruleLanguage } from "@winnow/rules";
import { sinkTypes } from "@winnow/sinks";
import { sources } from "@winnow/sources";
import { CommandFailed, exitCodes } from "./exit-codes.ts";
import { argument, type Invocation, show } from "./invocation.ts";

export interface InitOptions {
  readonly force?: boolean;
}

/** `winnow init [FILE]`: the configuration there, its schema beside it. Overwrites nothing without `--force`. */
export async function init(invocation: Invocation<InitOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const target = argument(invocation, 0);
  const [config, ...others] = initFiles({
    rules: ruleLanguage,
    sourceTypes: sources.map(({ type }) => type),
    sinkSchemas: Object.fromEntries(sinkTypes.map(({ type, configSchema }) => [type, configSchema])),
  });
  if (config === undefined) throw new Error("assertion failed: init writes a configuration");
  const files = [
    { path: target, text: config.text },
    ...others.map(({ name, text }) => ({ path: join(dirname(target), name), text })),
  ];
  const taken = options.force === true ? [] : files.filter(({ path }) => existsSync(resolve(terminal.cwd, path)));
  if (taken.length > 0) {
    const names = taken.map(({ path }) => path).join(" and ");
    throw new CommandFailed(exitCodes.failed, `there already: ${names}`, "--force overwrites");
  }
  for (const { path, text } of files) write(path, text, terminal.cwd);
  const written = files.map(({ path }) => path);
  await show(invocation, { written }, () => written.map((path) => `${path}\n`).join(""));
  const flag = basename(target) === target && target === "winnow.yaml" ? "" : ` --config ${target}`;
  terminal.say(`next: winnow config check${flag === "" ? "" : ` ${target}`}, then winnow up${flag}`);
  return exitCodes.ok;
}

function write(path: string, text: string, cwd: string): void {
  try {
    writeFileSync(resolve(cwd, path), text);
  } catch (error) {
    throw new CommandFailed(exitCodes.failed, `${path} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
  }
}
