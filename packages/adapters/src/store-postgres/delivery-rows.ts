import type { DeliveryRow } from "@winnow/ports";

export const deliveryColumns = [
  "incident_id",
  "destination",
  "generation",
  "delivery_state",
  "desired_version",
  "applied_version",
  "applied_seq",
  "remote_id",
  "remote_url",
  "attempts",
  "due_ms",
  "sent_ms",
  "sent_version",
  "sent_seq",
  "priority",
  "lease_token",
  "lease_until_ms",
  "error_code",
  "error_message",
] as const;

/** The columns of `deliveryColumns`. */
export interface StoredDelivery extends Omit<DeliveryRow, "last_error"> {
  readonly error_code: string | null;
  readonly error_message: string | null;
}

/** A row with exactly the port's fields, whatever else was selected beside them. */
export function rowOfDelivery(stored: StoredDelivery): DeliveryRow {
  const { error_code: code, error_message: message } = stored;
  return {
    incident_id: stored.incident_id,
    destination: stored.destination,
    generation: stored.generation,
    delivery_state: stored.delivery_state,
    desired_version: stored.desired_version,
    applied_version: stored.applied_version,
    applied_seq: stored.applied_seq,
    remote_id: stored.remote_id,
    remote_url: stored.remote_url,
    attempts: stored.attempts,
    due_ms: stored.due_ms,
    sent_ms: stored.sent_ms,
    sent_version: stored.sent_version,
    sent_seq: stored.sent_seq,
    priority: stored.priority,
    lease_token: stored.lease_token,
    lease_until_ms: stored.lease_until_ms,
    last_error: code === null || message === null ? null : { code, message },
  };
}
