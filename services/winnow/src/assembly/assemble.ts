import type { Verdict } from "@winnow/console";
import {
  type Config,
  createLogger,
  formatErrors,
  type Logger,
  Metrics,
  requireConfig,
  Shutdown,
} from "@winnow/platform";
import { buildPipeline, type Pipeline, startPipeline, stopPipeline } from "../pipeline.ts";
import { type Combination, combinationOf } from "./combination.ts";
import { readConfiguration, withFlags } from "./configuration.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import { destinationsOf } from "./destinations.ts";
import { openListeners } from "./listeners.ts";
import { openReceiving } from "./open-receiving.ts";
import { openStores, type Stores } from "./open-stores.ts";
import type { ProcessOptions, RunningProcess } from "./options.ts";
import { randomIds, type SystemClock, sha256, systemClock } from "./platform-parts.ts";
import { keptMs, startPruning } from "./pruning.ts";
import { RecordedFeed } from "./recorded-feed.ts";
import { abandoned, problemText, reloadInto } from "./reload.ts";
import { roles } from "./roles.ts";
import { Sequence } from "./sequence.ts";
import { correlatorOptionsOf, routerOptionsOf, type Shared } from "./stage-options.ts";
import { RuleActivator, StoredRuleBook } from "./stored-rules.ts";
import { watchMetrics } from "./watch-metrics.ts";

/** Starts a process with its roles, all of them unless told. Rejects with the WinnowError that explains why not. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const loaded = readConfiguration(options);
  const config = withFlags(requireConfig(loaded), options);
  const logger = options.logger ?? createLogger({ level: config.log_level });
  const shutdown = new Shutdown(logger);
  try {
    const running = await assemble({ config, options, logger, shutdown });
    return { ...running, warnings: formatErrors(loaded.warnings, loaded.texts) };
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
}

interface Beginning {
  readonly config: Config;
  readonly options: ProcessOptions;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
}

async function assemble(beginning: Beginning): Promise<Omit<RunningProcess, "warnings">> {
  const { config, options, logger, shutdown } = beginning;
  const held = options.roles ?? roles;
  const clock = systemClock();
  const combination = combinationOf(config, held);
  const data = openData(beginning, combination);
  const stores = await openStores(
    config,
    { data, combination },
    { ...beginning, roles: held, clock, fsync: options.fsync ?? true, signal: options.signal ?? neverAborted() },
  );
  // The nodes of a cluster have no clock in common: there time is what the log says.
  if (stores.cluster === null) await catchUp(clock, stores, logger);
  const metrics = new Metrics({ runtime: true });
  const shared: Shared = {
    ...stores,
    clock,
    logger,
    metrics,
    rules: new StoredRuleBook(stores.store, sha256),
    feed: new RecordedFeed(),
  };
  const activator = held.includes("correlator") ? await activate(beginning, shared) : null;
  const receiving = await openReceiving(config, { ...shared, roles: held, data, shutdown });
  // Tickets of an earlier run may be written before the listener is open.
  const { host, port } = config.listen;
  const bound = { url: `http://${host.includes(":") ? `[${host}]` : host}:${port}` };
  const destinations = held.includes("router") ? destinationsOf(config, { clock, logger, print: options.print }) : [];
  const publicUrl = () => config.public_url ?? bound.url;
  const pipeline = buildPipeline(receiving.receiver, {
    correlator: held.includes("correlator") ? correlatorOptionsOf(config, shared, receiving.facts) : null,
    router: held.includes("router") ? await routerOptionsOf(config, shared, { destinations, publicUrl }) : null,
  });
  await startPipeline(pipeline);
  shutdown.add({ name: "pipeline", timeoutMs: 20_000, stop: async () => stopPipeline(pipeline) });
  const inForce = { config };
  if (pipeline.router !== null) keepTidy(beginning, shared, inForce);
  const destinationNames = (): string[] => inForce.config.destinations.map(({ name }) => name);
  watchMetrics({ ...shared, destinations: destinationNames });
  for (const finding of pipeline.router === null ? [] : await abandoned(config, stores.store))
    logger.warn("the configuration deserves a look", { finding: problemText(finding) });
  const reload = reloader(pipeline, { ...shared, options, inForce, token: data.token, activator });
  const { url, alertmanagerUrl } = await openListeners(config, {
    ...shared,
    pipeline,
    shutdown,
    reload,
    inForce,
    version: options.version,
    token: data.token,
    destinations: destinationNames,
  });
  bound.url = url;
  return {
    url,
    alertmanagerUrl,
    token: data.token,
    dataDir: data.path,
    guarantees: destinations.map(({ settings, sink }) => ({
      destination: settings.name,
      mode: settings.mode,
      guarantee: sink.guarantee,
    })),
    reload: async () => {
      const verdict = await reload();
      return verdict.ok ? { ok: true } : { ok: false, errors: verdict.errors.map(problemText).join("\n") };
    },
    stop: async () => {
      pipeline.receiver?.beginClosing();
      await clock.sleep(config.limits.drain);
      await shutdown.stop();
    },
  };
}

/** The process's own directory; nodes without a log of their own keep nothing but the token there. */
function openData({ config, options, shutdown }: Beginning, combination: Combination): DataDirectory {
  const isShared = combination.kind === "cluster" && options.roles?.includes("receiver") === false;
  const token = config.token === null ? {} : { token: config.token.reveal() };
  const data = openDataDirectory(config.data, randomIds, { isShared, ...token });
  shutdown.add({
    name: "data directory",
    timeoutMs: 1_000,
    stop: () => {
      data.release();
    },
  });
  return data;
}

/** Puts the configuration's rules in force. Correlators do it; the other nodes hear of them through the log. */
async function activate({ config, shutdown }: Beginning, shared: Shared): Promise<RuleActivator> {
  const activator = new RuleActivator({ ...shared, hash: sha256 });
  shutdown.add({ name: "rule activation", timeoutMs: 5_000, stop: async () => activator.stop() });
  await activator.activate(config.rule_set);
  return activator;
}

function keepTidy(
  { config, shutdown }: Beginning,
  { store, clock, logger }: Shared,
  inForce: { readonly config: Config },
): void {
  const maxAgeMs = () => keptMs({ ...inForce.config, retention: config.retention });
  shutdown.add({ name: "pruning", timeoutMs: 5_000, stop: startPruning(store, { maxAgeMs, clock, logger }) });
}

/** One reload after another. */
function reloader(pipeline: Pipeline, parts: Parameters<typeof reloadInto>[1]): () => Promise<Verdict> {
  const reloads = new Sequence();
  return async () => reloads.run(async () => reloadInto(pipeline, parts));
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

/** The machine's clock may have been set back since the last run; timers count from the clocks that are stored. */
async function catchUp(clock: SystemClock, { windows, store }: Stores, logger: Logger): Promise<void> {
  const metas = [await windows.metas("A"), await windows.metas("B"), await store.recordMetas()].flat();
  const stored = Math.max(0, ...metas.map(({ meta }) => meta?.clock_ms ?? 0));
  const aheadMs = stored - clock.now();
  if (aheadMs > clockStepMs)
    logger.warn("the clock was set back since the last run: times run ahead until it has caught up", {
      ahead_ms: aheadMs,
    });
  clock.notBefore(stored);
}

/** Steps of the machine's clock that nobody needs to hear of. */
const clockStepMs = 60_000;
