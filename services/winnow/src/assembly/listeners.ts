import { consoleRoutes, type Desk, type Verdict } from "@winnow/console";
import { type Config, type Shutdown, WinnowError } from "@winnow/platform";
import { alertmanagerApi, createHttpServer, receiverLimits, webhookRoutes } from "@winnow/receiver";
import type { Pipeline } from "../pipeline.ts";
import { alertReader } from "./alert-reader.ts";
import { consoleOptionsOf } from "./console-options.ts";
import { sha256 } from "./platform-parts.ts";
import { receiverLimitsOf, type Shared } from "./stage-options.ts";

export interface ListenerParts extends Shared {
  readonly pipeline: Pipeline;
  readonly shutdown: Shutdown;
  readonly version: string;
  /** The installation's token. */
  readonly token: string;
  readonly inForce: { readonly config: Config };
  /** Names of the destinations in force. */
  readonly destinations: () => readonly string[];
  reload(): Promise<Verdict>;
}

export interface Listeners {
  readonly url: string;
  /** Base URL of Alertmanager's API on its own listener; null without one. */
  readonly alertmanagerUrl: string | null;
}

/** How long open requests may take to end; ms. */
const closeMs = 15_000;
/** Pause before a store that did not answer is asked again; ms. */
const againMs = 1_000;

/** Opens the doors: webhooks, dialects and console on one listener, Alertmanager's API on a second where it is asked for. */
export async function openListeners(config: Config, parts: ListenerParts): Promise<Listeners> {
  const { pipeline, shutdown, version } = parts;
  const { receiver } = pipeline;
  const limits = { ...receiverLimits, ...receiverLimitsOf(config) };
  const reader = alertReader({ ...parts, partitions: parts.log.partitions });
  const app = createHttpServer(limits);
  if (receiver !== null) {
    webhookRoutes(app, receiver);
    alertmanagerApi(app, { receiver, reader, version });
  }
  const desk = await consoleRoutes(app, consoleOptionsOf(parts.inForce, parts));
  await (parts.cluster === null ? grantToken(desk, parts) : grantTokenInTime(desk, parts));
  const url = await app.listen({ host: config.listen.host, port: config.listen.port });
  shutdown.add({ name: "http server", timeoutMs: closeMs, stop: async () => app.close() });
  const own = config.alertmanager_listen;
  if (own === null || receiver === null) return { url, alertmanagerUrl: null };
  const dialect = createHttpServer(limits);
  alertmanagerApi(dialect, { receiver, reader, version, integration: own.integration });
  const alertmanagerUrl = await dialect.listen({ host: own.listen.host, port: own.listen.port });
  shutdown.add({ name: "alertmanager listener", timeoutMs: closeMs, stop: async () => dialect.close() });
  return { url, alertmanagerUrl };
}

/** The installation's token may do everything; it is stored hashed like every other, and stays revoked like every other. */
async function grantToken(desk: Desk, { token, logger }: Pick<ListenerParts, "token" | "logger">): Promise<void> {
  const digest = sha256(token);
  const known = (await desk.tokens.list()).find(({ hash }) => hash === digest);
  if (known === undefined) await desk.tokens.create("installation", ["read", "act", "admin"], token);
  else if (known.revoked_ms !== null)
    logger.warn("the installation's token is revoked; without the file `token` the next start makes another");
}

/** The same where the store may not answer yet: a receiver takes alerts all the while. */
async function grantTokenInTime(desk: Desk, parts: ListenerParts): Promise<void> {
  const stopping = new AbortController();
  const isGranted = async (): Promise<boolean> => {
    try {
      await grantToken(desk, parts);
      return true;
    } catch (error) {
      if (error instanceof WinnowError) return false;
      throw error;
    }
  };
  if (await isGranted()) return;
  const again = async (): Promise<void> => {
    while (!stopping.signal.aborted && !(await isGranted())) await parts.clock.sleep(againMs, stopping.signal);
  };
  const granted = again().catch((error: unknown) => {
    parts.logger.error("the installation's token could not be stored", { error });
  });
  const stop = async (): Promise<void> => {
    stopping.abort();
    await granted;
  };
  parts.shutdown.add({ name: "token", timeoutMs: closeMs, stop });
}
