import type { Clock, Ids } from "@winnow/ports";
import type { DeliveryStore } from "./delivery-content.ts";

/** One destination as the configuration has it. */
export interface DestinationSettings {
  readonly name: string;
  readonly mode: "dry_run" | "live";
  readonly maxCreatesPerMinute: number;
  /** Operations under way at once. */
  readonly concurrency: number;
}

export interface DeliveryDependencies {
  readonly store: DeliveryStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** 0 ≤ x < 1, for the jitter of back-offs. */
  readonly random: () => number;
  /** Names this installation in every ticket's key. */
  readonly deploymentId: string;
  /** Base of the links back. */
  readonly publicUrl: () => string;
  readonly report: DeliveryReporter;
}

export interface DeliveryReporter {
  /** An attempt ended; `result` is from a closed set. */
  attempt(destination: string, result: "done" | "refused" | "unknown" | "gone" | "lost_lease" | "dry_run"): void;
  /** More than one ticket carries one key. */
  twins(destination: string, count: number): void;
  /** First time a ticket of this incident generation stands; ms since the incident opened. */
  ticketed(destination: string, ms: number): void;
  trouble(destination: string, error: unknown): void;
}
