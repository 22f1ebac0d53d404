import type { Endpoint } from "../load/requests.ts";

/** A running program to be measured. */
export interface Running {
  readonly pid: number;
  readonly endpoint: Endpoint;
  /** Resolves once everything sent so far has been worked off; with the number of alerts it took, where it counts them. */
  drained(): Promise<number | null>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** A kind of program to be measured. */
export interface Target {
  readonly name: string;
  readonly version: string;
  /** Starts it afresh, or over what `dataDir` holds. */
  start(dataDir: string): Promise<Running>;
}
