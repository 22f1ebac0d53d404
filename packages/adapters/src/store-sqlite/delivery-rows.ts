import type { DeliveryRow } from "@winnow/ports";
import { deliveryOf } from "../delivery-rules/index.ts";

export const deliveryColumns =
  "incident_id, destination, generation, delivery_state, desired_version, applied_version, applied_seq, remote_id, " +
  "remote_url, attempts, due_ms, sent_ms, sent_version, sent_seq, priority, lease_token, lease_until_ms, last_error";

/** The columns of `deliveryColumns`. */
export interface StoredDelivery extends Omit<DeliveryRow, "last_error"> {
  readonly last_error: string | null;
}

/** A row with exactly the port's fields, whatever else was selected beside them. */
export function rowOfDelivery(stored: StoredDelivery): DeliveryRow {
  const { last_error: error } = stored;
  return deliveryOf(stored, error === null ? null : (JSON.parse(error) as DeliveryRow["last_error"]));
}
