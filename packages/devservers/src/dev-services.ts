import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { askCoordinator, COORDINATOR_SOCKET } from "./coordinator.ts";
import { devEnvironment } from "./environment.ts";
import { isErrno } from "./errno.ts";
import { withFolderLock } from "./folder-lock.ts";
import { type FoundServers, type Log, type ServerKind, serverKinds } from "./servers.ts";
import { untilTrue } from "./until-ready.ts";

const KEEPER_MS = 20_000;

/** Starts what does not run yet, in the background; answers all that runs. Where nothing does, nothing is left behind. */
export async function devServicesUp(kinds: readonly ServerKind[], log: Log): Promise<FoundServers> {
  const { cacheDir } = devEnvironment();
  await mkdir(cacheDir, { recursive: true });
  return withFolderLock(join(cacheDir, "dev-services.lock"), async () => {
    const running = await devServicesStatus();
    const socket = (running === undefined ? undefined : await socketOnFile()) ?? (await startKeeper());
    await askCoordinator(socket, { do: "need", kinds, again: true }, log);
    const found = await askCoordinator(socket, { do: "status" });
    if (serverKinds.every((kind) => found[kind] === undefined)) {
      await devServicesDown();
    }
    return found;
  });
}

/** What runs; undefined where nothing was started, or it is gone. */
export async function devServicesStatus(): Promise<FoundServers | undefined> {
  return askKeeper("status");
}

/** Stops all and deletes its data; answers whether anything ran. */
export async function devServicesDown(): Promise<boolean> {
  const wasRunning = (await askKeeper("stop")) !== undefined;
  await rm(stateFile(), { force: true });
  return wasRunning;
}

async function askKeeper(what: "status" | "stop"): Promise<FoundServers | undefined> {
  const socket = await socketOnFile();
  if (socket === undefined) {
    return undefined;
  }
  try {
    return await askCoordinator(socket, { do: what });
  } catch (error) {
    if (isErrno(error, "ENOENT", "ECONNREFUSED")) {
      return undefined;
    }
    throw error;
  }
}

/** A keeper in a session of its own; its folder lies where paths are short enough for a socket. */
async function startKeeper(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "winnow-dev-"));
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve("@winnow/devservers/keeper")), folder], {
    cwd: folder,
    detached: true,
    stdio: "ignore",
  });
  child.unref();
  const socket = join(folder, COORDINATOR_SOCKET);
  await writeFile(stateFile(), `${JSON.stringify({ socket, pid: child.pid })}\n`);
  await untilTrue("the servers' keeper answers", async () => (await devServicesStatus()) !== undefined, KEEPER_MS);
  return socket;
}

/** Remembers where the keeper listens. */
function stateFile(): string {
  return join(devEnvironment().cacheDir, "dev-services.json");
}

async function socketOnFile(): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(stateFile(), "utf8")) as { readonly socket: string }).socket;
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return undefined;
    }
    throw error;
  }
}
