import { hasCode } from "@winnow/platform";
import type { Tampering } from "../tampering.ts";
import { wrapped } from "./wrapped.ts";

/** Breaks of "a log serves only what is durable, and an append resolves only then", and of the receiver. */
export const durabilityBreaks = (): Readonly<Record<string, Tampering>> => ({
  "consumers-read-unsynced": { disk: { servesUnsynced: true }, roughness: { cutAfterCrash: 0.5 } },
  "stages-ack-from-cache": { stagesAckFromCache: true },
  "receiver-acks-without-sync": { receiversAckFromCache: true },
  "restart-without-syncing-the-tail": {
    disk: { recoversWithoutSync: true },
    roughness: { faultRate: 0.05, cutAfterCrash: 0.7 },
  },
  "receiver-restored-under-the-same-id": { receiverKeepsId: true },
  "publisher-goes-on-after-a-time-out": {
    log: (log) =>
      wrapped(log, {
        append: (topic, partition, records) =>
          log.append(topic, partition, records).catch((error: unknown) => {
            if (hasCode(error, "log_unknown")) return 0;
            throw error;
          }),
      }),
  },
});
