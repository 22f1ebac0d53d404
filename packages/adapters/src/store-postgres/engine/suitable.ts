import { WinnowError } from "@winnow/platform";
import type { Postgres, StoreLog } from "./postgres.ts";

/** The oldest Postgres whose SQL the statements are written in. */
const OLDEST = 12;

/**
 * Rejects with `store_unsuitable` when the server is too old or its database cannot hold every text; says it in the log
 * when the server does not sync its disk, since then a power cut undoes what was answered as durable.
 */
export async function demandSuitable(postgres: Postgres, log: StoreLog): Promise<void> {
  const [server] = await postgres.read<{ version: number; encoding: string; fsync: string }>(
    `SELECT current_setting('server_version_num')::integer / 10000 AS version,
       current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync`,
  );
  if (server === undefined) throw new WinnowError("store_unavailable", "Postgres told nothing of itself");
  const { version, encoding, fsync } = server;
  if (version < OLDEST) {
    const message = `Postgres ${OLDEST} or newer is needed, this is ${version}`;
    throw new WinnowError("store_unsuitable", message, { fields: { version } });
  }
  if (encoding !== "UTF8") {
    const message = `The database must be made with ENCODING 'UTF8', this one has ${encoding}`;
    throw new WinnowError("store_unsuitable", message, { fields: { encoding } });
  }
  if (fsync !== "on") log.error({}, "Postgres runs with fsync off: a power cut can undo what was stored");
}
