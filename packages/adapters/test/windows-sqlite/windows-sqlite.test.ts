import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteWindowStore } from "@winnow/adapters/windows-sqlite";
import { windowStoreContract } from "@winnow/testkit";
import t from "tap";
import { silentLog } from "./support.ts";

await windowStoreContract(t, {
  name: "windows-sqlite",
  async open({ partitions }) {
    const folder = await mkdtemp(join(tmpdir(), "winnow-windows-"));
    return {
      connect: () => openSqliteWindowStore({ file: join(folder, "windows.db"), partitions, log: silentLog }),
      remove: () => rm(folder, { recursive: true }),
    };
  },
});
