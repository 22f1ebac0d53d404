import { hash, randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import type { Logger } from "@winnow/platform";
import type { Clock, Hash, Ids } from "@winnow/ports";

/** Wall time that never goes back within a process, monotonic time, and sleeps that an abort ends. */
export function systemClock(): Clock {
  let latest = 0;
  return {
    now: () => {
      latest = Math.max(latest, Date.now());
      return latest;
    },
    monotonic: () => performance.now(),
    sleep: async (ms, signal) => {
      if (signal?.aborted === true) return;
      await after(Math.min(ms, 2_147_483_647), undefined, signal === undefined ? {} : { signal }).catch(
        () => undefined,
      );
    },
  };
}

export const randomIds: Ids = { token: () => randomBytes(16).toString("hex") };

export const sha256: Hash = (text) => hash("sha256", text);

/** The shape that adapters and sinks log with, on top of ours. */
export interface FieldsFirstLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function fieldsFirst(logger: Logger): FieldsFirstLog {
  return {
    info: (fields, message) => {
      logger.info(message, { ...fields });
    },
    warn: (fields, message) => {
      logger.warn(message, { ...fields });
    },
    error: (fields, message) => {
      logger.error(message, { ...fields });
    },
  };
}
