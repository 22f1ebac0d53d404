import { type ReasonCode, reason, type TimelineEntry } from "@winnow/contracts";
import type { DeliveryRow, RemoteTicket, SinkCall, TicketSink } from "@winnow/ports";
import type { CreateBudget } from "./create-budget.ts";
import type { DeliveryContent } from "./delivery-content.ts";
import type { DeliveryDependencies, DestinationSettings } from "./delivery-dependencies.ts";

/** One destination at work: what every step of a delivery is done with. */
export interface Workplace {
  readonly settings: DestinationSettings;
  readonly sink: TicketSink;
  readonly deps: DeliveryDependencies;
  readonly budget: CreateBudget;
  /** Cuts requests off. */
  readonly cut: AbortSignal;
  /** Leaves the vendor alone for so many ms. */
  readonly pause: (ms: number) => void;
}

/** A delivery that a worker holds the lease of. */
export interface Lease {
  readonly row: DeliveryRow;
  readonly token: string;
  /** On the monotonic clock; ms. */
  readonly leasedUntil: number;
}

/** A leased delivery and what its ticket should show. */
export interface Attempt extends Lease, DeliveryContent {}

/** A call that only looks: the lease does not matter to it. */
export function reading(work: Workplace): SinkCall {
  return { signal: work.cut, beforeSend: () => true };
}

/** The ticket of a delivery that has one. */
export function remoteOf(row: DeliveryRow): RemoteTicket {
  return { remote_id: row.remote_id ?? "", remote_url: row.remote_url };
}

/** A line of the incident's timeline about this destination. */
export function line(
  work: Workplace,
  code: ReasonCode,
  evidence: Readonly<Record<string, string>> = {},
): TimelineEntry {
  const why = reason(code, { destination: work.settings.name, ...evidence });
  return { kind: "delivery", at_ms: work.deps.clock.now(), actor: "winnow", reason: why };
}
