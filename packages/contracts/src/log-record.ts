import type { AlertEvent } from "./alert-event.ts";
import type { IncidentEvent } from "./incident-event.ts";
import type { ActionRecord, DeadLetterAction, DeadLetterNote, Transition } from "./transition.ts";

/** The three topics of the pipeline, in order. */
export const topics = ["alerts", "transitions", "incident-events"] as const;
export type Topic = (typeof topics)[number];

/** Pipeline stages: A dedup, B correlate, C record. */
export type StageId = "A" | "B" | "C";

/**
 * Where an output came from inside its stage and partition: `[offset, index, n]`.
 * `offset` is the input record, `index` the item in it (-1: a deadline fired before it), `n` the running number.
 * Ids of one stage and partition are ordered element by element.
 */
export type OutputId = readonly [offset: number, index: number, n: number];

/** One request's events of one partition, written by the receiver. */
export interface EventsRecord {
  readonly kind: "events";
  readonly receiver_id: string;
  /** Rises by one per receiver and partition, over restarts too. */
  readonly seq: number;
  readonly received_ms: number;
  readonly traceparent?: string;
  readonly items: readonly (AlertEvent | DeadLetterNote)[];
}

/** Time passing, written by the partition's owner when a deadline is due and nothing else comes. */
export interface TickRecord {
  readonly kind: "tick";
  readonly at_ms: number;
  /** Since when this Winnow has been ready without a gap. */
  readonly ready_since_ms: number;
  /** Per integration: when it last delivered anything, on any partition. */
  readonly delivered_ms: Readonly<Record<string, number>>;
}

/** A rule set takes effect from here on. Generations only rise; a rollback is a new generation with an old digest. */
export interface RulesRecord {
  readonly kind: "rules";
  readonly at_ms: number;
  readonly generation: number;
  readonly digest: string;
}

/** A new engine version decides from here on. */
export interface EngineRecord {
  readonly kind: "engine";
  readonly at_ms: number;
  readonly version: number;
}

/** What people did. */
export interface ActionsRecord {
  readonly kind: "actions";
  readonly at_ms: number;
  readonly items: readonly (ActionRecord | DeadLetterAction)[];
}

export type OutputBody = Transition | IncidentEvent | DeadLetterNote | ActionRecord | DeadLetterAction;

export interface OutputItem {
  readonly id: OutputId;
  /** The id before it to the same destination partition; null for the first ever. */
  readonly prev: OutputId | null;
  readonly body: OutputBody;
}

/** Outputs of one upstream partition to one partition, in order. */
export interface OutputsRecord {
  readonly kind: "outputs";
  readonly stage: StageId;
  readonly partition: number;
  /** The upstream clock when the last of them was decided. */
  readonly at_ms: number;
  readonly items: readonly OutputItem[];
}

export type LogValue = EventsRecord | TickRecord | RulesRecord | EngineRecord | ActionsRecord | OutputsRecord;

/** Orders two ids of the same stage and partition: negative, zero or positive. */
export function compareOutputIds(left: OutputId, right: OutputId): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
