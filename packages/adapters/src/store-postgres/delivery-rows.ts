import type { DeliveryRow } from "@winnow/ports";
import { deliveryOf } from "../delivery-rules/index.ts";

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
  return deliveryOf(stored, code === null || message === null ? null : { code, message });
}
