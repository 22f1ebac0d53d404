import type { DeliveryRow, DeliveryUpdate, DeliveryWish, IncidentStore } from "@winnow/ports";
import type { IncidentPlace } from "./incident-store.ts";
import { incidentRow, keyOf, Recorder, wish } from "./incident-store-samples.ts";

export const leaseMs = 30_000;
export const killMs = 60_000;

/** A store with one incident `i`, wished for at `snow` now. */
export async function oneDelivery(place: IncidentPlace, more: Partial<DeliveryWish> = {}) {
  const store = await place.connect();
  const recorder = await new Recorder(store).claim();
  const now = await store.storeNow();
  await recorder.commit({ incidents: [incidentRow("i")], wishes: [wish("i", { at_ms: now, ...more })] });
  return { store, recorder, now };
}

export function lease(store: IncidentStore, token: string, limit = 10): Promise<readonly DeliveryRow[]> {
  return store.lease("snow", { token, leaseMs, killMs, limit });
}

/** Leases the one delivery that is due and writes it in flight. */
export async function send(store: IncidentStore, token: string): Promise<DeliveryRow> {
  const [row] = await lease(store, token);
  if (row === undefined) throw new Error("nothing is due");
  const sent = await store.markInflight(keyOf(row), token, { version: row.desired_version, seq: 1 });
  if (sent === null) throw new Error("the lease is not ours");
  return row;
}

/** The newest generation of `i` at `snow`. */
export async function newest(store: IncidentStore): Promise<DeliveryRow> {
  const row = (await store.deliveriesOf(["i"])).filter((one) => one.destination === "snow").at(-1);
  if (row === undefined) throw new Error("no delivery");
  return row;
}

export const idle = (version: number): DeliveryUpdate => ({
  delivery_state: "idle",
  applied_version: version,
  applied_seq: 1,
  remote_id: "INC1",
  remote_url: "http://vendor/INC1",
});
