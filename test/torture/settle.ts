import { setTimeout as pause } from "node:timers/promises";
import type { Api, ApiAccounting, ApiDelivery } from "./api.ts";

const lookEveryMs = 250;

/** Waits until nothing is in flight and every delivery stands where it should. Rejects with what is still under way. */
export async function settle(api: Api, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  let calm = 0;
  for (;;) {
    const open = await openWork(api);
    // Twice in a row: a timer may still be about to end a hold or a resolve delay.
    calm = open === "" ? calm + 1 : 0;
    if (calm >= 8) return;
    if (performance.now() > end) throw new Error(`not at rest after ${timeoutMs} ms: ${open}`);
    await pause(lookEveryMs);
  }
}

async function openWork(api: Api): Promise<string> {
  const { value: accounting } = await api.get<ApiAccounting>("/v1/accounting");
  if (accounting.in_flight !== 0) return `${accounting.in_flight} events in flight`;
  const waiting = await api.all<ApiDelivery>("/v1/deliveries?state=due,inflight,unknown");
  const [first] = waiting;
  if (first === undefined) return "";
  const why = first.last_error === null ? "" : `, ${first.last_error.code}: ${first.last_error.message}`;
  return `${waiting.length} deliveries, the first is ${first.delivery_state} after ${first.attempts} attempts${why}`;
}
