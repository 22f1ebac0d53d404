/** The suite of interface-acting.test.ts over one process with its incidents in Postgres. */
import t from "tap";
import { runWithPostgres } from "./support/with-postgres.ts";

t.setTimeout(600_000);

await runWithPostgres(t, () => import("./interface-acting.test.ts"));
