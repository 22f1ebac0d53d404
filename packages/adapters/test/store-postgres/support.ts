import { openPostgresIncidentStore, type PostgresStore, type StoreLog } from "@winnow/adapters/store-postgres";
import { sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import { Client } from "pg";
import type { Test } from "tap";

/** A log for tests in which nothing is to be said. */
export const silentLog: StoreLog = { info: () => undefined, error: () => undefined };

/** A log that keeps what it is told. */
export class ListeningLog implements StoreLog {
  readonly said: { readonly level: "info" | "error"; readonly fields: object; readonly message: string }[] = [];

  info(fields: object, message: string): void {
    this.said.push({ level: "info", fields, message });
  }

  error(fields: object, message: string): void {
    this.said.push({ level: "error", fields, message });
  }
}

/** The URL of a real Postgres for this file, or null after its tests were skipped with the reason. */
export async function realPostgres(t: Test): Promise<string | null> {
  t.setTimeout(240_000);
  const servers = await sharedServers(t, ["postgres"]);
  if (servers.postgres !== undefined) return servers.postgres.url;
  await t.test("the store on a real Postgres", { skip: skipWithout(servers, "postgres") }, () => undefined);
  return null;
}

/** One connection for looking from outside; closed behind the test. */
export async function outsider(t: Test, url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

/** Resolves once some connection waits for a lock of `holder` for `waitedMs` already; with its process id. */
export async function untilBlocked(
  watch: { readonly holder: Client; readonly watcher: Client },
  waitedMs: number,
): Promise<number> {
  const { rows } = await watch.holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  // From another connection: a transaction sees the activity as it was when it first looked.
  const sql = `SELECT pid FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))
    AND clock_timestamp() - query_start >= $2::float8 * interval '1 ms'`;
  for (const startedAt = performance.now(); performance.now() - startedAt < 30_000; ) {
    const blocked = await watch.watcher.query<{ pid: number }>(sql, [rows[0]?.pid, waitedMs]);
    const [first] = blocked.rows;
    if (first !== undefined) return first.pid;
  }
  throw new Error("nobody waited for the lock");
}

export interface Names {
  readonly schema: string;
  readonly reportingSchema: string;
}

/** Names of schemas that no other test uses: the process and a running number. */
export class FreshNames {
  #last = 0;

  next(): Names {
    this.#last += 1;
    const name = `t${process.pid}_${this.#last}`;
    return { schema: `${name}_w`, reportingSchema: `${name}_r` };
  }
}

/** Puts a clock that stands still in the place of the store's own, starting at the time of the database. */
export async function holdClock(client: Client, { schema }: Names): Promise<(ms: number) => Promise<void>> {
  await client.query(`
    CREATE TABLE ${schema}.hand_clock AS SELECT ${schema}.now_ms() AS ms;
    CREATE OR REPLACE FUNCTION ${schema}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
      AS $$ SELECT ms FROM ${schema}.hand_clock $$`);
  return async (ms) => {
    await client.query(`UPDATE ${schema}.hand_clock SET ms = ms + $1`, [ms]);
  };
}

export async function dropSchemas(client: Client, { schema, reportingSchema }: Names): Promise<void> {
  await client.query("SET client_min_messages = warning");
  await client.query(`DROP SCHEMA IF EXISTS ${reportingSchema}, ${schema} CASCADE`);
}

/** A store with schemas of its own, both gone behind the test. */
export async function storeOf(
  t: Test,
  place: { readonly url: string; readonly names: Names; readonly partitions?: number; readonly log?: StoreLog },
): Promise<PostgresStore> {
  const { url, names, partitions = 4, log = silentLog } = place;
  const store = await openPostgresIncidentStore({ url, ...names, partitions, log, poolMax: 3 });
  t.teardown(() => store.close());
  return store;
}
