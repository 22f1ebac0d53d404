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
import { Receiver, receiverIdOf, recoverSeqs } from "@winnow/receiver";
import { buildPipeline, startPipeline, stopPipeline } from "../pipeline.ts";
import { readConfiguration, withFlags } from "./configuration.ts";
import { openDataDirectory } from "./data-directory.ts";
import { destinationsOf } from "./destinations.ts";
import { integrationsOf } from "./integrations.ts";
import { openListeners } from "./listeners.ts";
import { openStores } from "./open-stores.ts";
import type { Embedded, EmbeddedOptions } from "./options.ts";
import { randomIds, type SystemClock, sha256, systemClock } from "./platform-parts.ts";
import { keptMs, startPruning } from "./pruning.ts";
import { RecordedFeed } from "./recorded-feed.ts";
import { abandoned, problemText, reloadInto } from "./reload.ts";
import { Sequence } from "./sequence.ts";
import { correlatorOptionsOf, receiverLimitsOf, routerOptionsOf, type Shared, type Stores } from "./stage-options.ts";
import { RuleActivator, StoredRuleBook } from "./stored-rules.ts";
import { watchMetrics } from "./watch-metrics.ts";

/** Starts everything in one process over the embedded stores. Rejects with the WinnowError that explains why not. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const loaded = readConfiguration(options);
  const config = withFlags(requireConfig(loaded), options);
  const logger = options.logger ?? createLogger({ level: config.log_level });
  const shutdown = new Shutdown(logger);
  try {
    const running = await assemble(config, options, logger, shutdown);
    return { ...running, warnings: formatErrors(loaded.warnings, loaded.texts) };
  } catch (error) {
    await shutdown.stop();
    throw error;
  }
}

async function assemble(
  config: Config,
  options: EmbeddedOptions,
  logger: Logger,
  shutdown: Shutdown,
): Promise<Omit<Embedded, "warnings">> {
  const data = openDataDirectory(config.data, randomIds);
  shutdown.add({
    name: "data directory",
    timeoutMs: 1_000,
    stop: () => {
      data.release();
    },
  });
  const clock = systemClock();
  const stores = await openStores(config, data, { logger, clock, shutdown, fsync: options.fsync ?? true });
  await catchUp(clock, stores, logger);
  const metrics = new Metrics({ runtime: true });
  const book = new StoredRuleBook(stores.store, sha256);
  const feed = new RecordedFeed();
  const activator = new RuleActivator({ ...stores, clock, hash: sha256, logger });
  shutdown.add({ name: "rule activation", timeoutMs: 5_000, stop: async () => activator.stop() });
  await activator.activate(config.rule_set);

  const receiver = await openReceiver(config, { ...stores, clock, logger, metrics, feed, token: data.token });
  // Tickets of an earlier run may be written before the listener is open.
  const { host, port } = config.listen;
  const bound = { url: `http://${host.includes(":") ? `[${host}]` : host}:${port}` };
  const destinations = destinationsOf(config, { clock, logger, print: options.print });
  const shared = { ...stores, clock, logger, metrics, rules: book, feed };
  const pipeline = buildPipeline(receiver, {
    correlator: correlatorOptionsOf(config, shared, receiver),
    router: await routerOptionsOf(config, shared, { destinations, publicUrl: () => config.public_url ?? bound.url }),
  });
  await startPipeline(pipeline);
  shutdown.add({ name: "pipeline", timeoutMs: 20_000, stop: async () => stopPipeline(pipeline) });
  const inForce = { config };
  const stopPruning = startPruning(stores.store, {
    maxAgeMs: () => keptMs({ ...inForce.config, retention: config.retention }),
    clock,
    logger,
  });
  shutdown.add({ name: "pruning", timeoutMs: 5_000, stop: stopPruning });
  const destinationNames = (): string[] => inForce.config.destinations.map(({ name }) => name);
  watchMetrics({ ...shared, destinations: destinationNames });
  for (const finding of await abandoned(config, stores.store))
    logger.warn("the configuration deserves a look", { finding: problemText(finding) });
  const reloads = new Sequence();
  const reload = async (): Promise<Verdict> =>
    reloads.run(async () => reloadInto(pipeline, { ...shared, options, inForce, token: data.token, activator }));
  const { url, alertmanagerUrl } = await openListeners(config, {
    ...shared,
    pipeline,
    shutdown,
    reload,
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
      receiver.beginClosing();
      await shutdown.stop();
    },
  };
}

async function openReceiver(
  config: Config,
  parts: Omit<Shared, "rules"> & { readonly token: string },
): Promise<Receiver> {
  const { log, windows, store, clock, logger, metrics, feed } = parts;
  const receiverId = await receiverIdOf(store, randomIds);
  return new Receiver({
    integrations: integrationsOf(config, parts.token),
    log,
    receiverId,
    lastSeqs: await recoverSeqs({ log, metas: await windows.metas("A"), receiverId }),
    clock,
    metrics,
    logger,
    limits: receiverLimitsOf(config),
    onDelivered: (integration, at) => {
      feed.delivered(integration, at);
    },
  });
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
