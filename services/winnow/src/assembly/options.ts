import type { Environment, Logger } from "@winnow/platform";
import type { Role } from "./roles.ts";

export interface ProcessOptions {
  /** What this process does; all of it unless given. */
  readonly roles?: readonly Role[];
  /** Configuration file; null = all defaults. */
  readonly file: string | null;
  readonly cwd: string;
  readonly env: Environment;
  /** Overrides of the configuration. `listen` is HOST:PORT; port 0 picks a free one. */
  readonly data?: string;
  readonly listen?: string;
  readonly log?: string;
  readonly windows?: string;
  readonly store?: string;
  readonly version: string;
  readonly logger?: Logger;
  /** Prints what a `log` destination says. */
  readonly print: (line: string) => void;
  /** false gives up durability; for the test that shows what it costs. */
  readonly fsync?: boolean;
  /** Ends a start that waits for servers. */
  readonly signal?: AbortSignal;
}

/** A running process of Winnow. */
export interface RunningProcess {
  readonly url: string;
  /** Base URL of the Alertmanager API's own listener, or null. */
  readonly alertmanagerUrl: string | null;
  /** The installation's token: for the API, and for integrations without credentials of their own. */
  readonly token: string;
  readonly dataDir: string;
  /** What the configuration gave to think about, as text for people; empty when nothing. */
  readonly warnings: string;
  /** Guarantee of each destination, as it is printed. */
  readonly guarantees: readonly { readonly destination: string; readonly mode: string; readonly guarantee: string }[];
  /** Reads the configuration again. An invalid one changes nothing and comes back as text. */
  reload(): Promise<{ readonly ok: true } | { readonly ok: false; readonly errors: string }>;
  /** Readiness off, drain, commit, close. */
  stop(): Promise<void>;
}
