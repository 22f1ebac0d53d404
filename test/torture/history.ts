/** What the senders did and heard, one JSON line per attempt: all that the checker knows of the load. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export type ToolName = "alertmanager" | "datadog" | "nagios" | "zabbix";

/** One message about one alert. */
export interface StepItem {
  /** The alert. */
  readonly tid: string;
  readonly app: string;
  readonly kind: "fire" | "resolve";
  /** Occurrence, from 1. */
  readonly episode: number;
  /** When it happened at the source, epoch ms, whole seconds. */
  readonly at: number;
}

/**
 * `acked`: a 2xx came. `refused`: another answer came. `indeterminate`: the connection broke, nobody knows.
 * `unreachable`: nobody listened, so nothing was sent.
 */
export type Outcome = "acked" | "refused" | "indeterminate" | "unreachable";

export interface Attempt {
  /** The same for every attempt to send the same bytes. */
  readonly send: string;
  readonly tool: ToolName;
  /** Base URL of the receiver that was asked. */
  readonly door: string;
  readonly items: readonly StepItem[];
  /** Items that no source can read: they must become dead letters. */
  readonly junk: number;
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly retryAfter: string | null;
  /** What the answer says was stored, dead letters included; 0 without a 2xx. */
  readonly stored: number;
  /** Epoch ms at which the outcome was known. */
  readonly t: number;
  readonly ms: number;
}

export interface History {
  readonly file: string;
  add(attempt: Attempt): void;
  count(outcome: Outcome): number;
  /** The next attempt that fits. Rejects when none comes in time. */
  next(fits: (attempt: Attempt) => boolean, timeoutMs: number): Promise<Attempt>;
}

export function openHistory(file: string): History {
  const counts = new Map<Outcome, number>();
  const waiting = new Set<(attempt: Attempt) => void>();
  return {
    file,
    add: (attempt) => {
      counts.set(attempt.outcome, (counts.get(attempt.outcome) ?? 0) + 1);
      appendFileSync(file, `${JSON.stringify(attempt)}\n`);
      for (const look of waiting) look(attempt);
    },
    count: (outcome) => counts.get(outcome) ?? 0,
    next: async (fits, timeoutMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<Attempt>();
      const look = (attempt: Attempt): void => {
        if (fits(attempt)) resolve(attempt);
      };
      waiting.add(look);
      const timer = setTimeout(() => reject(new Error(`no such attempt within ${timeoutMs} ms`)), timeoutMs);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(look);
      }
    },
  };
}

export function readHistory(file: string): Attempt[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Attempt);
}
