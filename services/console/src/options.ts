import type { Logger, Metrics } from "@winnow/platform";
import type { Clock, DeadLetterRow, EventLog, Hash, Ids, IncidentRow, IncidentStore, WindowStore } from "@winnow/ports";
import type { RuleBook } from "@winnow/runtime";
import type { ProblemItem } from "./problem.ts";

/** One line of /readyz. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Codes of the errors behind it, as in docs/errors.md. */
  readonly codes?: readonly string[];
}

/** What a text of rules or a configuration was found to be. */
export type Verdict =
  | { readonly ok: true; readonly warnings: readonly ProblemItem[] }
  | { readonly ok: false; readonly errors: readonly ProblemItem[] };

export interface ConsoleOptions {
  readonly log: EventLog;
  readonly windows: WindowStore;
  readonly store: IncidentStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly hash: Hash;
  readonly rules: RuleBook;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly version: string;
  /** Tenant that the API speaks for. */
  readonly tenant: string;
  /** Calls back after each commit of stage C with the incidents that changed; returns the way to stop it. */
  onRecorded(listener: (incidents: readonly Pick<IncidentRow, "snapshot" | "action_ids">[]) => void): () => void;
  health(): Promise<readonly HealthCheck[]>;
  reload(): Promise<Verdict>;
  checkRules(text: string): Verdict;
  /** Reads a raw body as the integration's source would; for explain. Null: no such integration. */
  readRaw(integration: string, body: Buffer, contentType: string): Promise<readonly unknown[] | null>;
  readonly hasIntegration: (name: string) => boolean;
  /**
   * Sends a dead letter's bytes through its integration again. Resolves with what came of it; rejects like the log.
   * Null on a node that takes no deliveries.
   */
  readonly retryDeadLetter:
    | ((row: DeadLetterRow) => Promise<{ readonly accepted: number; readonly dead_lettered: number } | null>)
    | null;
}
