import type { StoreLog } from "@winnow/adapters/windows-sqlite";

/** A log for tests in which nothing is to be said. */
export const silentLog: StoreLog = { info: () => undefined, error: () => undefined };
