import { hasCode, type Logger, WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";

export interface Patience {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the waiting: the last error is thrown. */
  readonly signal: AbortSignal;
  /** Whether errors that a person has to mend are waited out too. */
  readonly isForgiving?: () => boolean;
}

/** Pause before a server is tried again; ms. */
const againMs = 1_000;

/**
 * Opens a server that may not answer yet: processes are often started together with their servers. Rejects with the
 * first WinnowError that waiting does not mend.
 */
export async function patiently<Opened>(
  name: string,
  { clock, logger, signal, isForgiving }: Patience,
  open: () => Promise<Opened>,
): Promise<Opened> {
  let told = "";
  while (true) {
    try {
      const opened = await open();
      if (told !== "") logger.info(`${name} answers now`);
      return opened;
    } catch (error) {
      const isMendable = hasCode(error, "store_unavailable");
      if (!(error instanceof WinnowError) || signal.aborted) throw error;
      if (!isMendable && isForgiving?.() !== true) throw error;
      if (told !== error.code) {
        if (isMendable) logger.warn(`${name} does not answer; waiting for it`, { error });
        else logger.error(`${name} cannot be used; it is tried again until it can`, { error });
      }
      told = error.code;
      await clock.sleep(againMs, signal);
      // Nothing is opened any more that nobody would close.
      if (signal.aborted) throw error;
    }
  }
}
