import { migratePostgres, openPostgresIncidentStore } from "@winnow/adapters/store-postgres";
import { checkpointStoreContract, incidentStoreContract } from "@winnow/testkit";
import t from "tap";
import { dropSchemas, FreshNames, holdClock, outsider, realPostgres, silentLog } from "./support.ts";

const url = await realPostgres(t);

if (url !== null) {
  const admin = await outsider(t, url);
  const fresh = new FreshNames();

  await incidentStoreContract(t, {
    name: "store-postgres",
    async open({ partitions, coalesceMs }) {
      const names = fresh.next();
      await migratePostgres({ url, ...names, log: silentLog });
      const advance = await holdClock(admin, names);
      const options = { url, ...names, partitions, coalesceMs, poolMax: 4, log: silentLog };
      return {
        connect: () => openPostgresIncidentStore(options),
        advance,
        remove: () => dropSchemas(admin, names),
      };
    },
  });

  await checkpointStoreContract(t, {
    name: "store-postgres",
    async open() {
      const names = fresh.next();
      return {
        connect: () => openPostgresIncidentStore({ url, ...names, partitions: 64, poolMax: 4, log: silentLog }),
        remove: () => dropSchemas(admin, names),
      };
    },
  });
}
