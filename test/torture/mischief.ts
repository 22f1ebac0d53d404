import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "./random.ts";
import type { TicketSystem } from "./ticket-system.ts";

const everyMsDefault = 600;

export interface Mischief {
  /** Resolves with how often the vendor made each kind of trouble. */
  stop(): ReturnType<TicketSystem["behave"]>;
}

/** Lets the vendor make trouble again and again, about every `everyMs`. */
export function startMischief(tickets: TicketSystem, random: Random, everyMs = everyMsDefault): Mischief {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await tickets.misbehave(random);
      await pause(everyMs * (0.5 + random.next()));
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return tickets.behave();
    },
  };
}
