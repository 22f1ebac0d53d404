import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createLogger, formatErrors, requireConfig } from "@winnow/platform";
import { combinationOf } from "../assembly/combination.ts";
import { readConfiguration, withFlags } from "../assembly/configuration.ts";
import { systemClock } from "../assembly/platform-parts.ts";
import { roles } from "../assembly/roles.ts";
import { migrateCluster, migrateStore } from "../cluster/migrate.ts";
import { exitCodes } from "./exit-codes.ts";
import { type Invocation, show } from "./invocation.ts";

export interface MigrateOptions {
  readonly config?: string;
  readonly log?: string;
  readonly windows?: string;
  readonly store?: string;
}

const defaultFile = "winnow.yaml";

/** `winnow migrate`: topics and tables as this version wants them. Several may run at once. */
export async function migrate(invocation: Invocation<MigrateOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const { cwd } = terminal;
  const file = options.config ?? (existsSync(resolve(cwd, defaultFile)) ? defaultFile : null);
  const loaded = readConfiguration({ file, cwd, env: terminal.env.all });
  const config = withFlags(requireConfig(loaded), { cwd, ...options });
  if (loaded.warnings.length > 0) terminal.say(formatErrors(loaded.warnings, loaded.texts));
  const combination = combinationOf(config, roles);
  const parts = { clock: systemClock(), logger: createLogger({ level: "warn" }) };
  const done = await changesOf();
  await show(invocation, { changes: done }, () => done.map((line) => `${line}\n`).join(""));
  if (done.length === 0) terminal.say("nothing to do: all is as it should be");
  return exitCodes.ok;

  async function changesOf(): Promise<readonly string[]> {
    if (combination.kind === "cluster") return migrateCluster(config, combination, parts);
    return combination.store === null ? [] : migrateStore(combination.store, parts);
  }
}
