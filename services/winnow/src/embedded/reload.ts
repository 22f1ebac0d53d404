import { isDeepStrictEqual } from "node:util";
import type { ProblemItem, Verdict } from "@winnow/console";
import { type Config, WinnowError, type YamlProblem } from "@winnow/platform";
import type { Pipeline } from "../pipeline.ts";
import { readConfiguration, withFlags } from "./configuration.ts";
import { destinationsOf } from "./destinations.ts";
import { integrationsOf } from "./integrations.ts";
import type { EmbeddedOptions } from "./options.ts";
import { sha256 } from "./platform-parts.ts";
import type { Shared } from "./stage-options.ts";
import { activateRuleSet } from "./stored-rules.ts";

export function problemItem(problem: YamlProblem): ProblemItem {
  const { file, line, column, path, message, hint } = problem;
  return { file, line, column, path, message, hint };
}

/** `file:line:column: message (hint)`, for people. */
export function problemText({ file, line, column, message, hint }: ProblemItem): string {
  return `${file}:${line}:${column}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

/** Reads the configuration again and puts it in force, whole or not at all: an invalid one never unloads a valid one. */
export async function reloadInto(
  pipeline: Pipeline,
  parts: Shared & {
    readonly options: EmbeddedOptions;
    readonly token: string;
    /** The configuration that was read last and taken. */
    readonly inForce: { config: Config };
  },
): Promise<Verdict> {
  const { options, metrics, logger, clock, inForce } = parts;
  const loaded = readConfiguration(options);
  if (!loaded.ok) return refused(parts, loaded.errors.map(problemItem));
  const config = withFlags(loaded.config, options);
  try {
    // Everything that can fail is made before anything is changed.
    const integrations = integrationsOf(config, parts.token);
    const destinations = destinationsOf(config, { clock, logger, print: options.print });
    pipeline.receiver.reload(integrations);
    metrics.allow(
      "destination",
      config.destinations.map(({ name }) => name),
    );
    await activateRuleSet(config.rule_set, { ...parts, hash: sha256 });
    await pipeline.router.reload(destinations);
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error;
    const file = options.file ?? "(defaults)";
    return refused(parts, [{ file, line: 1, column: 1, path: "", message: error.message, hint: null }]);
  }
  metrics.set("winnow_config_last_reload_successful", {}, 1);
  const warnings = [...loaded.warnings.map(problemItem), ...waiting(inForce.config, config)];
  inForce.config = config;
  for (const warning of warnings) logger.warn("the configuration deserves a look", { finding: problemText(warning) });
  logger.info("the configuration was read again");
  return { ok: true, warnings };
}

/** Settings that a running process cannot change. */
const fixedWhileRunning = [
  "listen",
  "data",
  "public_url",
  "log_level",
  "partitions",
  "alertmanager_listen",
  "retention",
  "limits",
] as const satisfies readonly (keyof Config)[];

/** Says which changes wait for the next start, so that nobody waits for them in vain. */
function waiting(before: Config, now: Config): ProblemItem[] {
  return fixedWhileRunning
    .filter((key) => !isDeepStrictEqual(before[key], now[key]))
    .map((key) => {
      const message = `a change of ${key} takes effect at the next start`;
      return { file: now.file ?? "(defaults)", line: 1, column: 1, path: key, message, hint: null };
    });
}

function refused(parts: Shared, errors: readonly ProblemItem[]): Verdict {
  parts.metrics.set("winnow_config_last_reload_successful", {}, 0);
  parts.logger.warn("the configuration has errors; the one in force stays", { errors: errors.length });
  return { ok: false, errors };
}
