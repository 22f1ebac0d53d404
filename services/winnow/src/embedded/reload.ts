import type { ProblemItem, Verdict } from "@winnow/console";
import { WinnowError, type YamlProblem } from "@winnow/platform";
import type { Pipeline } from "../pipeline.ts";
import { readConfiguration } from "./configuration.ts";
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

/** Reads the configuration again and puts it in force, whole or not at all: an invalid one never unloads a valid one. */
export async function reloadInto(
  pipeline: Pipeline,
  parts: Shared & { readonly options: EmbeddedOptions; readonly token: string },
): Promise<Verdict> {
  const { options, metrics, logger, clock } = parts;
  const loaded = readConfiguration(options);
  if (!loaded.ok) return refused(parts, loaded.errors.map(problemItem));
  const { config } = loaded;
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
  logger.info("the configuration was read again");
  return { ok: true, warnings: loaded.warnings.map(problemItem) };
}

function refused(parts: Shared, errors: readonly ProblemItem[]): Verdict {
  parts.metrics.set("winnow_config_last_reload_successful", {}, 0);
  parts.logger.warn("the configuration has errors; the one in force stays", { errors: errors.length });
  return { ok: false, errors };
}
