import { hasDockerEngine } from "./docker.ts";
import { startDockerKafka, startDockerPostgres, startDockerRedis } from "./docker-servers.ts";
import { devEnvironment } from "./environment.ts";
import { givenKafka, givenPostgres, givenRedis } from "./given-servers.ts";
import { startNativeKafka } from "./native-kafka.ts";
import { startNativePostgres } from "./native-postgres.ts";
import { startNativeRedis } from "./native-redis.ts";
import type { FoundServers, Log, Running, ServerKind, ServersByKind, UnavailableServer } from "./servers.ts";

export interface BringServersOptions {
  readonly kinds: readonly ServerKind[];
  readonly log?: Log;
  /** Wants `controls`: passes over given servers. */
  readonly own?: boolean;
}

export interface BroughtServers extends FoundServers {
  /** Stops what was started and deletes its data; given servers stay as they are. */
  stop(): Promise<void>;
}

/**
 * Real servers: given ones first (WINNOW_TEST_KAFKA, WINNOW_TEST_REDIS, WINNOW_TEST_POSTGRES), else in Docker where an
 * engine runs, else programs in the cache folder. Those started die with this process, whatever ends it. What cannot be
 * had is in `unavailable`. The first time may download 150 MB.
 */
export async function bringServers({
  kinds,
  log = () => {},
  own = false,
}: BringServersOptions): Promise<BroughtServers> {
  let engine: Promise<boolean> | undefined;
  const hasEngine = (): Promise<boolean> => (engine ??= hasDockerEngine());
  const bring = async (kind: ServerKind): Promise<Brought> => {
    const found = await bringOne({ kind, way: WAYS[kind], log: (line) => log(`${kind}: ${line}`), own, hasEngine });
    return typeof found === "string" ? { unavailable: { kind, reason: found } } : { kind, ...found };
  };
  const all = await Promise.all([...new Set(kinds)].map(bring));
  const running = all.filter((one) => "kind" in one);
  return {
    ...Object.fromEntries(running.map(({ kind, server }) => [kind, server])),
    unavailable: all.filter((one) => "unavailable" in one).map((one) => one.unavailable),
    stop: async () => {
      await Promise.all(running.map((one) => one.stop()));
    },
  };
}

type AnyServer = ServersByKind[ServerKind];
type Brought = ({ readonly kind: ServerKind } & Running<AnyServer>) | { readonly unavailable: UnavailableServer };

/** How one kind is had. A text says why it cannot be. */
interface Way {
  readonly given: (address: string) => Promise<AnyServer | string>;
  readonly docker: (log: Log) => Promise<Running<AnyServer>>;
  readonly native: (log: Log) => Promise<Running<AnyServer> | string>;
}

const WAYS: Readonly<Record<ServerKind, Way>> = {
  kafka: { given: givenKafka, docker: startDockerKafka, native: startNativeKafka },
  redis: { given: givenRedis, docker: startDockerRedis, native: startNativeRedis },
  postgres: { given: givenPostgres, docker: startDockerPostgres, native: startNativePostgres },
};

interface Search {
  readonly kind: ServerKind;
  readonly way: Way;
  readonly log: Log;
  readonly own: boolean;
  readonly hasEngine: () => Promise<boolean>;
}

async function bringOne({ kind, way, log, own, hasEngine }: Search): Promise<Running<AnyServer> | string> {
  const given = own ? null : devEnvironment().given[kind];
  if (given !== null) {
    // Whoever names a server means that one: another would be a surprise.
    const server = await way.given(given);
    return typeof server === "string" ? server : { server, stop: () => Promise.resolve() };
  }
  let refused = "";
  if (await hasEngine()) {
    try {
      return await way.docker(log);
    } catch (error) {
      refused = `in Docker: ${messageOf(error)}; `;
      log(`not in Docker: ${messageOf(error)}`);
    }
  }
  try {
    const native = await way.native(log);
    return typeof native === "string" ? refused + native : native;
  } catch (error) {
    return refused + messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
