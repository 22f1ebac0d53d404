import { isDeepStrictEqual } from "node:util";
import type { ProblemItem, Verdict } from "@winnow/console";
import type { DeliveryState } from "@winnow/contracts";
import { type Config, WinnowError, type YamlProblem } from "@winnow/platform";
import type { IncidentReader } from "@winnow/ports";
import type { Pipeline } from "../pipeline.ts";
import { readConfiguration, withFlags } from "./configuration.ts";
import { destinationsOf } from "./destinations.ts";
import { integrationsOf } from "./integrations.ts";
import type { ProcessOptions } from "./options.ts";
import type { Shared } from "./stage-options.ts";
import type { RuleActivator } from "./stored-rules.ts";

export function problemItem(problem: YamlProblem): ProblemItem {
  const { file, line, column, path, message, hint } = problem;
  return { file, line, column, path, message, hint };
}

/** `file:line:column: message (hint)`, for people. */
export function problemText({ file, line, column, message, hint }: ProblemItem): string {
  return `${file}:${line}:${column}: ${message}${hint === null ? "" : ` (${hint})`}`;
}

export interface ReloadParts extends Shared {
  readonly options: ProcessOptions;
  readonly token: string;
  /** Null where another node puts rules in force. */
  readonly activator: RuleActivator | null;
  /** The configuration that was read last and taken. */
  readonly inForce: { config: Config };
}

/** Reads the configuration again and puts it in force, whole or not at all: an invalid one never unloads a valid one. */
export async function reloadInto(pipeline: Pipeline, parts: ReloadParts): Promise<Verdict> {
  const { options, metrics, logger, inForce } = parts;
  const loaded = readConfiguration(options);
  if (!loaded.ok) return refused(parts, loaded.errors.map(problemItem));
  const config = withFlags(loaded.config, options);
  try {
    await putInForce(config, pipeline, parts);
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error;
    return refused(parts, [problemOf(config, "", error.message)]);
  }
  metrics.set("winnow_config_last_reload_successful", {}, 1);
  const before = inForce.config;
  // From here on it is in force, whatever else cannot be told.
  inForce.config = config;
  const warnings = [
    ...loaded.warnings.map(problemItem),
    ...waiting(before, config),
    ...(pipeline.router === null ? [] : await abandoned(config, parts.store)),
  ];
  for (const warning of warnings) logger.warn("the configuration deserves a look", { finding: problemText(warning) });
  logger.info("the configuration was read again");
  return { ok: true, warnings };
}

/** Everything that can fail comes before what cannot; what was changed by then is changed back. */
async function putInForce(config: Config, pipeline: Pipeline, parts: ReloadParts): Promise<void> {
  const { options, clock, logger, metrics, inForce, token, activator } = parts;
  const destinations = pipeline.router === null ? [] : destinationsOf(config, { clock, logger, print: options.print });
  try {
    pipeline.receiver?.reload(integrationsOf(config, token));
    await activator?.activate(config.rule_set);
  } catch (error) {
    pipeline.receiver?.reload(integrationsOf(inForce.config, token));
    await Promise.allSettled(destinations.map(async ({ sink }) => sink.close()));
    throw error;
  }
  const names = config.destinations.map(({ name }) => name);
  metrics.allow("destination", names);
  pipeline.router?.reload(destinations);
}

/** Destinations that are gone from the configuration while deliveries wait for them: nobody brings these. */
export async function abandoned(config: Config, store: IncidentReader): Promise<ProblemItem[]> {
  const waitingStates: readonly DeliveryState[] = ["due", "inflight", "unknown"];
  const counts = await store.counts().catch((error: unknown) => {
    if (error instanceof WinnowError) return null;
    throw error;
  });
  // A store that does not answer just now has its own alarms.
  if (counts === null) return [];
  const left = counts.deliveries.filter(
    ({ destination, state }) =>
      waitingStates.includes(state) && config.destinations.every(({ name }) => name !== destination),
  );
  return [...Map.groupBy(left, ({ destination }) => destination)].map(([name, rows]) => {
    const n = rows.reduce((sum, row) => sum + row.n, 0);
    const message = `${n} deliveries wait for the destination ${name}, which is not configured any more`;
    const hint = "they go on when a destination of this name is back";
    return { ...problemOf(config, "destinations", message), hint };
  });
}

function problemOf({ file }: Config, path: string, message: string): ProblemItem {
  return { file: file ?? "(defaults)", line: 1, column: 1, path, message, hint: null };
}

/** Settings that a running process cannot change. */
const fixedWhileRunning = [
  "listen",
  "data",
  "token",
  "log",
  "windows",
  "store",
  "ack_after",
  "spool_keep",
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
    .map((key) => problemOf(now, key, `a change of ${key} takes effect at the next start`));
}

function refused(parts: Shared, errors: readonly ProblemItem[]): Verdict {
  parts.metrics.set("winnow_config_last_reload_successful", {}, 0);
  parts.logger.warn("the configuration has errors; the one in force stays", { errors: errors.length });
  return { ok: false, errors };
}
