import { serveWorker } from "../store-sqlite/engine/worker-host.ts";
import { openWindowDatabase, type WindowDatabaseOptions } from "./window-database.ts";

serveWorker<WindowDatabaseOptions>(openWindowDatabase);
