import { Correlator, type CorrelatorOptions } from "@winnow/correlator";
import type { Receiver } from "@winnow/receiver";
import { Router, type RouterOptions } from "@winnow/router";

/**
 * The way of an alert, in order. Each stage reads the topic before it and decides purely; the log lies between them,
 * so that every stage can stop, crash and go on where it was.
 *
 *     POST ─ receiver ─ alerts ─ A dedup ─ transitions ─ B correlate ─ incident-events ─ C record ─ deliveries ─ tickets
 *
 * One process has all of it, or a node of a cluster its part: then the others are null here, and somewhere else.
 */
export interface Pipeline {
  /** Takes deliveries, fsyncs them into `alerts`, answers. */
  readonly receiver: Receiver | null;
  /** A: per fingerprint, what is news? B: per scope, which incident is it? */
  readonly correlator: Correlator | null;
  /** C: incidents, timelines, desired deliveries; then each destination is brought to its desired state. */
  readonly router: Router | null;
}

/** Builds the stages after the receiver; it is opened last, when they stand. */
export function buildPipeline(
  receiver: Receiver | null,
  stages: { readonly correlator: CorrelatorOptions | null; readonly router: RouterOptions | null },
): Pipeline {
  return {
    receiver,
    correlator: stages.correlator === null ? null : new Correlator(stages.correlator),
    router: stages.router === null ? null : new Router(stages.router),
  };
}

/** Downstream first, so that nothing is ever decided without a reader. */
export async function startPipeline({ correlator, router }: Pipeline): Promise<void> {
  await router?.start();
  correlator?.start();
}

/** Upstream first: what was accepted is decided, what was decided is recorded, as far as it goes; the rest is on disk. */
export async function stopPipeline({ receiver, correlator, router }: Pipeline): Promise<void> {
  receiver?.beginClosing();
  await correlator?.stop();
  await router?.stop();
}
