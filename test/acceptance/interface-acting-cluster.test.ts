/** The suite of interface-acting.test.ts over a cluster: two of each program, with Kafka, Redis and Postgres. */
import t from "tap";
import { runOverCluster } from "./support/cluster.ts";

// The first run downloads 200 MB.
t.setTimeout(600_000);

await runOverCluster(t, () => import("./interface-acting.test.ts"));
