import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { isErrno } from "./errno.ts";

const LOWEST = 15_000;
const ATTEMPTS = 50;
/** Linux' own default, for systems that do not tell. */
const EPHEMERAL_FROM = 32_768;

/**
 * A free port on 127.0.0.1, above 15,000 and below those from which the system takes the near end of outgoing
 * connections. From among those, a client that keeps trying while its server restarts would sooner or later be given
 * the server's own port, connect to itself, and keep the server from coming back.
 */
export async function freePort(): Promise<number> {
  const below = await ephemeralPortsFrom();
  const attempts = below > LOWEST ? ATTEMPTS : 0;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = await tryPort(randomInt(LOWEST, below));
    if (port !== undefined) {
      return port;
    }
  }
  const port = await tryPort(0);
  if (port === undefined) {
    throw new Error("127.0.0.1 has no free port");
  }
  return port;
}

async function ephemeralPortsFrom(): Promise<number> {
  try {
    return Number.parseInt(await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8"), 10);
  } catch (error) {
    if (isErrno(error, "ENOENT", "EACCES")) {
      return EPHEMERAL_FROM;
    }
    throw error;
  }
}

async function tryPort(wanted: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(wanted, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return port;
  } catch (error) {
    if (isErrno(error, "EADDRINUSE", "EACCES")) {
      return undefined;
    }
    throw error;
  }
}
