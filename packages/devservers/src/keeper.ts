/**
 * Keeps the servers of `winnow dev services` after the command has ended: `node keeper.ts FOLDER`. It listens in FOLDER
 * until it is asked to stop, by request or signal, and takes the folder along.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { COORDINATOR_SOCKET, startCoordinator } from "./coordinator.ts";

async function keep(folder: string): Promise<void> {
  const coordinator = await startCoordinator(join(folder, COORDINATOR_SOCKET));
  const signalled = Promise.withResolvers<void>();
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(name, () => {
      signalled.resolve();
    });
  }
  await Promise.race([signalled.promise, coordinator.stopAsked]);
  await coordinator.stop();
  await rm(folder, { recursive: true, force: true });
}

const [, , folder] = process.argv;
if (folder === undefined) {
  throw new Error("usage: node keeper.ts FOLDER");
}
await keep(folder);
