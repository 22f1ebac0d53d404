/**
 * Servers that several processes share: one process, the coordinator, starts each kind when it is first asked for and
 * stops all at the end. It is asked over a Unix socket, a JSON line each way.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { type BroughtServers, bringServers } from "./bring-servers.ts";
import type { FoundServers, Log, ServerKind, UnavailableServer } from "./servers.ts";

/** The socket's name in the folder that a coordinator and those who ask it agree on. */
export const COORDINATOR_SOCKET = "servers.socket";

export type CoordinatorRequest =
  /** Start what is not there yet. `again`: try once more what could not be had before. */
  | { readonly do: "need"; readonly kinds: readonly ServerKind[]; readonly again?: boolean }
  /** Say what is there. */
  | { readonly do: "status" }
  /** Stop all; answered when all is gone. */
  | { readonly do: "stop" };

type CoordinatorReply =
  | { readonly log: string }
  | { readonly found: FoundServers }
  /** A fault of the coordinator. */
  | { readonly failed: string };

export interface Coordinator {
  /** What was asked for and could not be had. */
  unavailable(): Promise<readonly UnavailableServer[]>;
  /** Resolves when a request stopped all. */
  readonly stopAsked: Promise<void>;
  /** Stops the servers and the socket. */
  stop(): Promise<void>;
}

type Bring = typeof bringServers;

/** Listens on `socket`; nothing is started before it is asked for. */
export async function startCoordinator(socket: string, bring: Bring = bringServers): Promise<Coordinator> {
  const pool = serverPool(bring);
  const asked = Promise.withResolvers<void>();
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on("close", () => connections.delete(connection));
    // A test file that ends before its answer is no failure.
    connection.on("error", () => connection.destroy());
    const reply = (one: CoordinatorReply): void => {
      connection.write(`${JSON.stringify(one)}\n`);
    };
    createInterface({ input: connection }).once("line", (line) => {
      void answer(JSON.parse(line) as CoordinatorRequest, pool, reply).then((isStop) => {
        connection.end();
        if (isStop) {
          asked.resolve();
        }
      });
    });
  });
  server.listen(socket);
  await once(server, "listening");
  return {
    unavailable: async () => (await pool.found()).unavailable,
    stopAsked: asked.promise,
    stop: async () => {
      server.close();
      await pool.stop();
      for (const connection of connections) {
        connection.destroy();
      }
    },
  };
}

/** Returns whether it was asked to stop. */
async function answer(
  request: CoordinatorRequest,
  pool: ServerPool,
  reply: (one: CoordinatorReply) => void,
): Promise<boolean> {
  try {
    if (request.do === "need") {
      await pool.need(request.kinds, request.again === true, (line) => {
        reply({ log: line });
      });
    } else if (request.do === "stop") {
      await pool.stop();
    }
    reply({ found: await pool.found(request.do === "need" ? request.kinds : undefined) });
  } catch (error) {
    reply({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  return request.do === "stop";
}

interface ServerPool {
  need(kinds: readonly ServerKind[], again: boolean, log: Log): Promise<void>;
  /** Of these kinds, or of all that were asked for. Without controls: others use the same servers. */
  found(kinds?: readonly ServerKind[]): Promise<FoundServers>;
  stop(): Promise<void>;
}

function serverPool(bring: Bring): ServerPool {
  const brought = new Map<ServerKind, Promise<BroughtServers>>();
  const needOne = async (kind: ServerKind, again: boolean, log: Log): Promise<void> => {
    const before = brought.get(kind);
    if (before === undefined || (again && (await before).unavailable.length > 0)) {
      brought.set(kind, bring({ kinds: [kind], log }));
    }
    await brought.get(kind);
  };
  return {
    need: async (kinds, again, log) => {
      await Promise.all(kinds.map((kind) => needOne(kind, again, log)));
    },
    found: async (kinds) => {
      const wanted = [...brought].filter(([kind]) => kinds?.includes(kind) ?? true);
      const all = await Promise.all(wanted.map(([, one]) => one));
      return {
        ...Object.fromEntries(wanted.flatMap(([kind], index) => entryOf(kind, all[index]))),
        unavailable: all.flatMap(({ unavailable }) => unavailable),
      };
    },
    stop: async () => {
      const all = await Promise.all(brought.values());
      brought.clear();
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}

function entryOf(kind: ServerKind, servers: BroughtServers | undefined): readonly (readonly [string, unknown])[] {
  const server = servers?.[kind];
  return server === undefined ? [] : [[kind, { ...server, controls: undefined }]];
}

/**
 * Asks the coordinator behind `socket`. `log` hears what it does meanwhile. Rejects with ENOENT or ECONNREFUSED where
 * there is none.
 */
export async function askCoordinator(
  socket: string,
  request: CoordinatorRequest,
  log: Log = () => {},
): Promise<FoundServers> {
  const connection = connect(socket);
  await once(connection, "connect");
  connection.write(`${JSON.stringify(request)}\n`);
  for await (const line of createInterface({ input: connection })) {
    const reply = JSON.parse(line) as CoordinatorReply;
    if ("log" in reply) {
      log(reply.log);
    } else if ("found" in reply) {
      return reply.found;
    } else {
      throw new Error(`the servers' coordinator failed: ${reply.failed}`);
    }
  }
  throw new Error("the servers' coordinator ended without an answer");
}
