/** The suite of interface-reading.test.ts over one process with its incidents in Postgres. */
import t from "tap";
import { runWithPostgres } from "./support/with-postgres.ts";

t.setTimeout(600_000);

await runWithPostgres(t, () => import("./interface-reading.test.ts"));
