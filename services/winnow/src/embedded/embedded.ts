import { resolve } from "node:path";
import { consoleRoutes, type Desk, type Verdict } from "@winnow/console";
import {
  type Config,
  createLogger,
  formatErrors,
  type Logger,
  Metrics,
  requireConfig,
  Shutdown,
} from "@winnow/platform";
import { createHttpServer, Receiver, receiverIdOf, recoverSeqs, webhookRoutes } from "@winnow/receiver";
import { buildPipeline, startPipeline, stopPipeline } from "../pipeline.ts";
import { parseListen, readConfiguration } from "./configuration.ts";
import { consoleOptionsOf } from "./console-options.ts";
import { openDataDirectory } from "./data-directory.ts";
import { destinationsOf } from "./destinations.ts";
import { integrationsOf } from "./integrations.ts";
import { openStores } from "./open-stores.ts";
import type { Embedded, EmbeddedOptions } from "./options.ts";
import { randomIds, sha256, systemClock } from "./platform-parts.ts";
import { RecordedFeed } from "./recorded-feed.ts";
import { reloadInto } from "./reload.ts";
import { correlatorOptionsOf, receiverLimitsOf, routerOptionsOf, type Stores } from "./stage-options.ts";
import { activateRuleSet, StoredRuleBook } from "./stored-rules.ts";
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

function withFlags(config: Config, options: EmbeddedOptions): Config {
  return {
    ...config,
    ...(options.data === undefined ? {} : { data: resolve(options.cwd, options.data) }),
    ...(options.listen === undefined ? {} : { listen: parseListen(options.listen) }),
  };
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
  const metrics = new Metrics({ runtime: true });
  const book = new StoredRuleBook(stores.store, sha256);
  const feed = new RecordedFeed();
  await activateRuleSet(config.rule_set, { ...stores, clock, hash: sha256 });

  const receiver = new Receiver({
    integrations: integrationsOf(config, data.token),
    log: stores.log,
    receiverId: await receiverIdOf(stores.store, randomIds),
    lastSeqs: await recoverLastSeqs(stores),
    clock,
    metrics,
    logger,
    limits: receiverLimitsOf(config),
    onDelivered: (integration, at) => {
      feed.delivered(integration, at);
    },
  });
  const bound = { url: "" };
  const destinations = destinationsOf(config, { clock, logger, print: options.print });
  const shared = { ...stores, clock, logger, metrics, rules: book, feed };
  const pipeline = buildPipeline(receiver, {
    correlator: correlatorOptionsOf(config, shared, receiver),
    router: await routerOptionsOf(config, shared, { destinations, publicUrl: () => config.public_url ?? bound.url }),
  });
  await startPipeline(pipeline);
  shutdown.add({ name: "pipeline", timeoutMs: 20_000, stop: async () => stopPipeline(pipeline) });
  watchMetrics({ ...shared, pipeline, destinations: config.destinations.map(({ name }) => name) });

  const reload = async (): Promise<Verdict> => reloadInto(pipeline, { ...shared, options, token: data.token });
  const app = createHttpServer(receiver.limits);
  webhookRoutes(app, receiver);
  const consoleOptions = consoleOptionsOf(config, { ...shared, pipeline, version: options.version, reload });
  const desk = await consoleRoutes(app, consoleOptions);
  await grantToken(desk, data.token);
  bound.url = await app.listen({ host: config.listen.host, port: config.listen.port });
  shutdown.add({ name: "http server", timeoutMs: 15_000, stop: async () => app.close() });
  return {
    url: bound.url,
    alertmanagerUrl: null,
    token: data.token,
    dataDir: data.path,
    guarantees: destinations.map(({ settings, sink }) => ({
      destination: settings.name,
      mode: settings.mode,
      guarantee: sink.guarantee,
    })),
    reload: async () => {
      const verdict = await reload();
      return verdict.ok ? { ok: true } : { ok: false, errors: verdict.errors.map((one) => one.message).join("\n") };
    },
    stop: async () => {
      receiver.beginClosing();
      await shutdown.stop();
    },
  };
}

async function recoverLastSeqs(stores: Stores): Promise<number[]> {
  const receiverId = await receiverIdOf(stores.store, randomIds);
  return recoverSeqs({ log: stores.log, metas: await stores.windows.metas("A"), receiverId });
}

/** The installation's token may do everything; it is stored hashed like every other. */
async function grantToken(desk: Desk, token: string): Promise<void> {
  const known = await desk.tokens.authenticate(`Bearer ${token}`);
  if (known === null) await desk.tokens.create("installation", ["read", "act", "admin"], token);
}
