import type { VirtualProcess } from "@winnow/testkit";
import type { Tampering } from "../tampering.ts";
import { wrapped } from "./wrapped.ts";

const skewMs = 30_000;
/** Requests that are long on their way to the socket. */
const slowRoads = { moods: { lateCommit: 0.05, cutReply: 0.05, slowConnect: 0.5, closes: 0 }, worldFaults: 14 };

/** Breaks of the router's rules about lost replies and leases. */
export const deliveryBreaks = (): Readonly<Record<string, Tampering>> => ({
  "negative-lookup-believed-at-once": {
    incidents: (store) =>
      wrapped(store, {
        lease: async (destination, options) =>
          (await store.lease(destination, options)).map((row) => ({ ...row, sent_ms: 0 })),
      }),
  },
  "router-judges-by-its-own-clock": {
    incidents: (store) => wrapped(store, { storeNow: async () => (await store.storeNow()) + skewMs }),
  },
  "no-lease-check": {
    roughness: slowRoads,
    sink: (sink) =>
      wrapped(sink, {
        create: (content, call) => sink.create(content, { ...call, beforeSend: () => true }),
        update: (remote, content, call) => sink.update(remote, content, { ...call, beforeSend: () => true }),
      }),
  },
  "lease-check-without-the-sent-at-rule": leaseAlone(),
});

/** Before the socket is written to only the lease is looked at, not how long ago `inflight` was written. */
function leaseAlone(): Tampering {
  const leases = new WeakMap<VirtualProcess, Map<string, number>>();
  const leaseOf = (process: VirtualProcess, incidentId: string) => () =>
    process.clock.monotonic() <= (leases.get(process)?.get(incidentId) ?? 0);
  return {
    roughness: slowRoads,
    incidents: (store, process) =>
      wrapped(store, {
        lease: async (destination, options) => {
          const until = process.clock.monotonic() + options.leaseMs;
          const rows = await store.lease(destination, options);
          const own = leases.get(process) ?? new Map<string, number>();
          for (const row of rows) own.set(row.incident_id, until);
          leases.set(process, own);
          return rows;
        },
      }),
    sink: (sink, process) =>
      wrapped(sink, {
        create: (content, call) =>
          sink.create(content, { ...call, beforeSend: leaseOf(process, content.incident.incident_id) }),
        update: (remote, content, call) =>
          sink.update(remote, content, { ...call, beforeSend: leaseOf(process, content.incident.incident_id) }),
      }),
  };
}
