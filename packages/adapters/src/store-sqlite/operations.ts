import type { DatabaseSync } from "node:sqlite";
import type { IncidentStore } from "@winnow/ports";
import { queueOperations } from "./delivery-queue.ts";
import { pruneOperations } from "./prune.ts";
import { readerOperations } from "./reader.ts";
import { type RecorderOperations, type RecorderOptions, recorderOperations } from "./recorder.ts";
import { factOperations, ruleSetOperations, tokenOperations } from "./settings.ts";

/** A port as the thread that owns the database sees it: the same calls, answered at once. */
export type Sync<Port> = {
  readonly [Name in keyof Port]: Port[Name] extends (...args: infer Args) => Promise<infer Value>
    ? (...args: Args) => Value
    : never;
};

export type IncidentOperations = Sync<Omit<IncidentStore, "close" | "commit">> & Pick<RecorderOperations, "commit">;
export type IncidentOperation = keyof IncidentOperations;

/** Every call of the port, and whether it changes anything. */
export const incidentOperationKinds = {
  claim: "write",
  load: "read",
  commit: "write",
  verify: "read",
  storeNow: "read",
  lease: "write",
  markInflight: "write",
  settle: "write",
  recoverInflight: "write",
  nextDue: "read",
  requeue: "write",
  epoch: "read",
  incident: "read",
  incidents: "read",
  members: "read",
  timeline: "read",
  deliveriesOf: "read",
  deliveries: "read",
  incidentsOfAlerts: "read",
  deadLetters: "read",
  deadLetter: "read",
  recordMetas: "read",
  counts: "read",
  putRuleSet: "write",
  ruleSet: "read",
  activation: "read",
  activate: "write",
  fact: "read",
  setFact: "write",
  keepFact: "write",
  factsUnder: "read",
  tokens: "read",
  putToken: "write",
  revokeToken: "write",
  prune: "write",
} as const satisfies Record<IncidentOperation, "read" | "write">;

/** The whole port over one open database. */
export function incidentOperations(db: DatabaseSync, options: RecorderOptions, now: () => number): IncidentOperations {
  return {
    ...recorderOperations(db, options),
    ...queueOperations(db, now),
    ...readerOperations(db, options.partitions),
    ...ruleSetOperations(db),
    ...factOperations(db),
    ...tokenOperations(db),
    ...pruneOperations(db),
  };
}
