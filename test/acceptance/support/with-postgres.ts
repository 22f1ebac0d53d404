/** The acceptance suites over one process that keeps incidents in Postgres and all else in its data directory. */
import type { Test } from "tap";
import { takeDatabase } from "../../cluster/names.ts";
import { sharedServers, skipWithout } from "../../real-servers/shared.ts";
import { type StartDeployment, setMode } from "./mode.ts";
import { startProduct } from "./product.ts";

/** Runs a suite, a test file that starts Winnow with `startInMode`. Skipped with the reason where there is no Postgres. */
export async function runWithPostgres(t: Test, suite: () => Promise<unknown>): Promise<void> {
  const { postgres, unavailable } = await sharedServers(t, ["postgres"]);
  if (postgres === undefined) {
    await t.test("with Postgres", { skip: skipWithout({ unavailable }, "postgres") || "no Postgres" }, () => {});
    return;
  }
  setMode(postgresMode(t, postgres.url));
  await suite();
}

/** Each folder has its own database, so that a second start finds what the first one left. */
function postgresMode(t: Test, serverUrl: string): StartDeployment {
  const known = new Map<string, ReturnType<typeof takeDatabase>>();
  t.teardown(async () => {
    for (const database of known.values()) await (await database).drop();
  });
  return async ({ folder, env }) => {
    const database = known.get(folder) ?? takeDatabase(serverUrl);
    known.set(folder, database);
    const args = ["--store", (await database).url];
    return { ...(await startProduct({ folder, args, ...(env === undefined ? {} : { env }) })), isReplayable: false };
  };
}
