/** Real Kafka, Redis and Postgres for tests. */
import { join } from "node:path";
import {
  askCoordinator,
  bringServers,
  COORDINATOR_SOCKET,
  type FoundServers,
  type ServerKind,
} from "@winnow/devservers";
import type { Test } from "tap";

/** What a test file may have. */
type TestScope = Pick<Test, "comment" | "teardown">;

/**
 * Servers that all test files of one `npm test` share, started by the first that asks, stopped at the end of the run. A
 * file that runs alone starts its own. Others use them at the same time: take topics, key prefixes and databases with
 * names of your own, and change no setting. The first call may take minutes: `t.setTimeout`.
 */
export async function sharedServers(t: TestScope, kinds: readonly ServerKind[]): Promise<FoundServers> {
  const run = process.env["WINNOW_TEST_RUN"] ?? "";
  const log = (line: string): void => {
    t.comment(line);
  };
  if (run !== "") {
    return askCoordinator(join(run, COORDINATOR_SOCKET), { do: "need", kinds }, log);
  }
  return withTeardown(t, await bringServers({ kinds, log }));
}

/** Servers for this test alone, with `controls` to kill, pause and restart them; stopped at its end. */
export async function ownServers(t: TestScope, kinds: readonly ServerKind[]): Promise<FoundServers> {
  const log = (line: string): void => {
    t.comment(line);
  };
  return withTeardown(t, await bringServers({ kinds, log, own: true }));
}

function withTeardown(t: TestScope, servers: Awaited<ReturnType<typeof bringServers>>): FoundServers {
  t.teardown(async () => {
    await servers.stop();
  });
  return servers;
}

/** The option `skip` of a test that needs these kinds: false where all are there, else the reasons. */
export function skipWithout(servers: FoundServers, ...kinds: readonly ServerKind[]): string | false {
  const missing = servers.unavailable.filter(({ kind }) => kinds.includes(kind));
  return missing.length === 0 ? false : missing.map(({ kind, reason }) => `no ${kind}: ${reason}`).join("; ");
}
