import { WinnowError } from "@winnow/platform";
import { Pool, type PoolClient, type QueryResult } from "pg";
import { isTakenBack, type Phase, stateOf, toError } from "./failure.ts";
import { numbers, storable, type Value } from "./values.ts";

/** What a store says to its operators; a pino logger fits. */
export interface StoreLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface PostgresSettings {
  readonly url: string;
  /** The schema in which unqualified names are looked up. */
  readonly schema: string;
  /** Connections at most. */
  readonly poolMax: number;
  /** Postgres ends a statement that takes longer; after a fifth more it counts as lost. */
  readonly statementMs: number;
  readonly log: StoreLog;
}

/** A row that another transaction holds is waited for so long. */
const LOCK_MS = 5_000;
/** A transaction whose program says nothing more is ended, so that its locks end too. */
const IDLE_IN_TRANSACTION_MS = 10_000;
/** Making a connection, or waiting for a free one. */
const CONNECT_MS = 10_000;
const IDLE_CONNECTION_MS = 60_000;

/** Statements of one transaction. Their rows are in the order in which Postgres gave them. */
export interface Statements {
  rows<Row>(sql: string, values?: readonly Value[]): Promise<Row[]>;
  /** Number of rows that it changed. */
  change(sql: string, values?: readonly Value[]): Promise<number>;
}

/**
 * A pool of connections, each with its own time limits. Statements are prepared once per connection.
 * A call that fails rejects as `toError` says; a connection that is in doubt is never used again.
 */
export class Postgres {
  readonly #pool: Pool;
  readonly #names = new Map<string, string>();
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor({ url, schema, poolMax, statementMs, log }: PostgresSettings) {
    const session = sessionSql(schema, statementMs);
    this.#pool = new Pool({
      connectionString: url,
      fallback_application_name: "winnow",
      max: poolMax,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      query_timeout: Math.ceil(statementMs * 1.2),
      keepAlive: true,
      types: numbers,
      verify: (client, done) => {
        client.query(session, (error: Error | null, results: unknown) => {
          done(error ?? standbyError(results as readonly QueryResult[]));
        });
      },
    });
    this.#pool.on("error", (error) => log.info({ sqlstate: stateOf(error) }, "a connection to Postgres was lost"));
  }

  /** One statement that changes nothing. */
  read<Row>(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#use(async (client) => (await this.#single(client, { sql, values, phase: "before" })).rows as Row[]);
  }

  /** One statement that commits by itself; its rows. */
  write<Row>(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#use(async (client) => (await this.#single(client, { sql, values, phase: "write" })).rows as Row[]);
  }

  /** One statement that commits by itself; the number of rows that it changed. */
  change(sql: string, values: readonly Value[] = []): Promise<number> {
    return this.#use(async (client) => (await this.#single(client, { sql, values, phase: "write" })).rowCount ?? 0);
  }

  /** Commits what `body` does, or takes all of it back when it throws. */
  transaction<Result>(body: (statements: Statements) => Promise<Result>): Promise<Result> {
    return this.#use(async (client, spoil) => {
      const statements = new TransactionStatements(client, (sql, values) => this.#query(client, sql, values));
      let result: Result;
      try {
        // A BEGIN in doubt spoils the connection too: it would take the next caller's changes into a transaction that
        // nobody commits.
        await statements.rows("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
        result = await body(statements);
      } catch (error) {
        if (!(await statements.takeBack())) spoil();
        throw error;
      }
      await this.#commit(client, spoil);
      return result;
    });
  }

  /** Lets the calls before it end, then closes the connections. Calls behind it reject with `store_unavailable`. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#running);
    await this.#pool.end();
  }

  async #commit(client: PoolClient, spoil: () => void): Promise<void> {
    let command: string;
    try {
      ({ command } = await client.query("COMMIT"));
    } catch (error) {
      if (!isTakenBack(error, "commit")) spoil();
      throw toError(error, "commit");
    }
    if (command !== "COMMIT") throw new WinnowError("store_unavailable", "Postgres took the transaction back");
  }

  async #single(
    client: PoolClient,
    statement: { readonly sql: string; readonly values: readonly Value[]; readonly phase: Phase },
  ): Promise<QueryResult> {
    try {
      return await this.#query(client, statement.sql, statement.values);
    } catch (error) {
      throw new StatementFailure(toError(error, statement.phase), isTakenBack(error, statement.phase));
    }
  }

  #query(client: PoolClient, sql: string, values: readonly Value[]): Promise<QueryResult> {
    if (values.length === 0) return client.query(sql);
    const known = this.#names.get(sql);
    const name = known ?? `winnow_${this.#names.size}`;
    if (known === undefined) this.#names.set(sql, name);
    return client.query({ name, text: sql, values: values.map(storable) });
  }

  /** Lends a connection to `body`; `spoil` says that it must not be used again. */
  async #use<Result>(body: (client: PoolClient, spoil: () => void) => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new WinnowError("store_unavailable", "The store is closed");
    const call = this.#lend(body);
    this.#running.add(call);
    try {
      return await call;
    } finally {
      this.#running.delete(call);
    }
  }

  async #lend<Result>(body: (client: PoolClient, spoil: () => void) => Promise<Result>): Promise<Result> {
    let client: PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw new WinnowError("store_unavailable", `Postgres cannot be reached: ${messageOf(error)}`, {
        cause: error,
        fields: stateOf(error) === null ? {} : { sqlstate: stateOf(error) },
      });
    }
    let isSpoilt = false;
    // A connection that breaks while it is lent also fails the statement under way, which tells the caller.
    const broken = () => {
      isSpoilt = true;
    };
    client.on("error", broken);
    try {
      return await body(client, broken);
    } catch (error) {
      if (!(error instanceof StatementFailure)) throw error;
      if (!error.isSound) isSpoilt = true;
      throw error.toldAs;
    } finally {
      client.removeListener("error", broken);
      client.release(isSpoilt);
    }
  }
}

/** A failed statement on its way to the caller, with whether the connection may be used again. */
class StatementFailure extends Error {
  readonly toldAs: Error;
  readonly isSound: boolean;

  constructor(toldAs: Error, isSound: boolean) {
    super(toldAs.message);
    this.toldAs = toldAs;
    this.isSound = isSound;
  }
}

type RunQuery = (sql: string, values: readonly Value[]) => Promise<QueryResult>;

class TransactionStatements implements Statements {
  readonly #client: PoolClient;
  readonly #query: RunQuery;
  #isSound = true;

  constructor(client: PoolClient, query: RunQuery) {
    this.#client = client;
    this.#query = query;
  }

  async rows<Row>(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    return (await this.#run(sql, values)).rows as Row[];
  }

  async change(sql: string, values: readonly Value[] = []): Promise<number> {
    return (await this.#run(sql, values)).rowCount ?? 0;
  }

  /** False when the connection is in doubt: then closing it takes the transaction back. */
  async takeBack(): Promise<boolean> {
    if (!this.#isSound) return false;
    try {
      await this.#client.query("ROLLBACK");
      return true;
    } catch {
      // Whatever the reason, the caller hears why the transaction failed, and the connection is closed.
      return false;
    }
  }

  async #run(sql: string, values: readonly Value[]): Promise<QueryResult> {
    try {
      return await this.#query(sql, values);
    } catch (error) {
      if (!isTakenBack(error, "before")) this.#isSound = false;
      throw toError(error, "before");
    }
  }
}

/**
 * While a fail-over is under way a name may lead to a standby: it refuses changes, and what it answers may be old. Its
 * connections would stay in the pool for as long as they are used.
 */
function standbyError(results: readonly QueryResult[]): Error | undefined {
  const [last] = (results.at(-1)?.rows ?? []) as readonly { readonly is_standby: boolean }[];
  return last?.is_standby === true ? new Error("it is a standby, which takes no changes") : undefined;
}

function sessionSql(schema: string, statementMs: number): string {
  // Set per connection, since the server's and the user's defaults are somebody else's.
  return `
    SET search_path = ${quoted(schema)};
    SET default_transaction_isolation = 'read committed';
    SET synchronous_commit = on;
    SET statement_timeout = ${Math.ceil(statementMs)};
    SET lock_timeout = ${Math.min(LOCK_MS, Math.ceil(statementMs))};
    SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};
    SET timezone = 'UTC';
    SELECT pg_is_in_recovery() AS is_standby`;
}

/** A name as an identifier. The names are checked before; this keeps reserved words usable. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
