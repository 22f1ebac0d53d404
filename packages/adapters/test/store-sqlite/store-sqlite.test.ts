import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteIncidentStore } from "@winnow/adapters/store-sqlite";
import { incidentStoreContract } from "@winnow/testkit";
import t from "tap";
import { HandClock, silentLog } from "./support.ts";

await incidentStoreContract(t, {
  name: "store-sqlite",
  async open({ partitions, coalesceMs }) {
    const folder = await mkdtemp(join(tmpdir(), "winnow-store-"));
    const clock = new HandClock();
    const options = { file: join(folder, "incidents.db"), partitions, clock, coalesceMs, log: silentLog };
    return {
      connect: () => openSqliteIncidentStore(options),
      advance: (ms) => clock.advance(ms),
      remove: () => rm(folder, { recursive: true }),
    };
  },
});
