import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freezeTree } from "./process-tree.ts";
import type { ServerControls, ServerKind } from "./servers.ts";
import type { Tool } from "./tool-process.ts";

export interface NativeProcess {
  readonly controls: ServerControls;
  stop(): Promise<void>;
}

/**
 * Runs a server as a process of ours. `launch` starts it and resolves when it answers; it is called again, for the same
 * data and port, at each start that follows.
 */
export async function runNative(launch: () => Promise<Tool>): Promise<NativeProcess> {
  let tool = await launch();
  let thaw: (() => Promise<void>) | undefined;
  const resume = async (): Promise<void> => {
    await thaw?.();
    thaw = undefined;
  };
  return {
    controls: {
      restart: async () => {
        await resume();
        await tool.stop();
        tool = await launch();
      },
      kill9: async () => {
        await tool.kill();
        await resume();
      },
      start: async () => {
        tool = await launch();
      },
      pause: async () => {
        thaw ??= await freezeTree(tool.pid);
      },
      resume,
    },
    stop: async () => {
      await resume();
      await tool.stop();
    },
  };
}

/** A new folder for the data of one server, below the system's folder for temporary files. */
export async function makeDataFolder(kind: ServerKind): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `winnow-${kind}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
