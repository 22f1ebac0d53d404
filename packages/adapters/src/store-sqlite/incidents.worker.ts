import { openDatabase } from "./engine/database.ts";
import { holdPartitions, migrate } from "./engine/migrate.ts";
import { type Backend, serveWorker } from "./engine/worker-host.ts";
import { incidentOperationKinds, incidentOperations } from "./operations.ts";
import type { RecorderOptions } from "./recorder.ts";
import { migrations } from "./schema.ts";

export interface IncidentDatabaseOptions extends RecorderOptions {
  readonly file: string;
}

const kinds: Readonly<Record<string, "read" | "write">> = incidentOperationKinds;

function openIncidentDatabase(options: IncidentDatabaseOptions, now: () => number): Backend {
  const db = openDatabase(options.file);
  try {
    const opened = migrate(db, options.file, migrations);
    holdPartitions(db, options.partitions);
    const operations = { ...incidentOperations(db, options, now) };
    return { db, operations, isRead: (operation) => kinds[operation] === "read", opened };
  } catch (error) {
    db.close();
    throw error;
  }
}

serveWorker(openIncidentDatabase);
