import { join } from "node:path";
import { assert, type Config, type Shutdown } from "@winnow/platform";
import {
  localReceiver,
  Receiver,
  type ReceiverOptions,
  ReceiverReports,
  receiverIdOf,
  recoverSeqs,
  Shipper,
  startReporting,
} from "@winnow/receiver";
import type { ProcessFacts } from "@winnow/runtime";
import type { DataDirectory } from "./data-directory.ts";
import { integrationsOf } from "./integrations.ts";
import { randomIds } from "./platform-parts.ts";
import type { Role } from "./roles.ts";
import { receiverLimitsOf, type Shared } from "./stage-options.ts";

export interface ReceivingParts extends Shared {
  readonly roles: readonly Role[];
  readonly data: DataDirectory;
  readonly shutdown: Shutdown;
}

export interface Receiving {
  /** Null on a node that takes no deliveries. */
  readonly receiver: Receiver | null;
  /** What is known of all receivers: ticks carry it into the log. */
  readonly facts: ProcessFacts;
}

/** How long an acknowledgement waits for the shared log before the receiver's own disk is enough; ms. */
const replicatedWithinMs = 250;
/** Bounds of the steps of an orderly end; ms. */
const stopMs = 10_000;

/** Opens what takes deliveries, and what tells the stages how that goes. */
export async function openReceiving(config: Config, parts: ReceivingParts): Promise<Receiving> {
  return parts.cluster === null ? inOneProcess(config, parts) : inCluster(config, parts);
}

async function inOneProcess(config: Config, parts: ReceivingParts): Promise<Receiving> {
  const { log, windows, store, feed } = parts;
  const receiverId = await receiverIdOf(store, randomIds);
  const lastSeqs = await recoverSeqs({ log, metas: await windows.metas("A"), receiverId });
  const receiver = new Receiver({ ...commonOptions(config, parts), log, receiverId, lastSeqs });
  return {
    receiver,
    facts: { readySince: () => receiver.readySinceMs(), delivered: () => feed.lastDelivered() },
  };
}

/** A receiver writes its own log, ships it and reports; correlators read all receivers' reports. */
async function inCluster(config: Config, parts: ReceivingParts): Promise<Receiving> {
  const { roles, store, clock, logger, shutdown } = parts;
  const receiver = roles.includes("receiver") ? await openShippingReceiver(config, parts) : null;
  if (!roles.includes("correlator")) return { receiver, facts: noFacts };
  const reports = new ReceiverReports({ store, clock, logger });
  reports.start();
  shutdown.add({ name: "receivers' reports", timeoutMs: stopMs, stop: async () => reports.stop() });
  return { receiver, facts: reports };
}

const noFacts: ProcessFacts = { readySince: () => Number.MAX_SAFE_INTEGER, delivered: () => ({}) };

async function openShippingReceiver(config: Config, parts: ReceivingParts): Promise<Receiver> {
  const { spool, log, store, clock, logger, metrics, feed, data, shutdown } = parts;
  assert(spool !== null, "a receiver has a log of its own");
  const stateFile = join(data.path, "shipped.json");
  const own = { dir: data.log, local: spool, stateFile, ids: randomIds, logger };
  const { receiverId, lastSeqs } = await localReceiver(own);
  const keepMs = config.spool_keep;
  const shipper = await Shipper.open({
    local: spool,
    shared: log,
    receiverId,
    stateFile,
    clock,
    logger,
    metrics,
    keepMs,
  });
  const afterDurable = async (ends: ReadonlyMap<number, number>): Promise<void> => {
    await Promise.all([...ends].map(([partition, end]) => shipper.shipped(partition, end, replicatedWithinMs)));
  };
  const receiver = new Receiver({
    ...commonOptions(config, parts),
    log: spool,
    receiverId,
    lastSeqs,
    ...(config.ack_after === "disk" ? {} : { afterDurable }),
  });
  const read = () => ({
    oldest_unshipped_ms: shipper.oldestUnshippedMs(),
    ready_since_ms: receiver.readySinceMs(),
    delivered_ms: feed.lastDelivered(),
  });
  // Stopped in the opposite order: the last report says whether anything is left to ship.
  const reporting = startReporting({ store, receiverId, clock, logger, read });
  shutdown.add({ name: "report of this receiver", timeoutMs: stopMs, stop: async () => reporting.stop() });
  shipper.start();
  shutdown.add({ name: "shipper", timeoutMs: stopMs, stop: async () => shipper.stop() });
  return receiver;
}

function commonOptions(
  config: Config,
  { clock, metrics, logger, feed, data }: ReceivingParts,
): Omit<ReceiverOptions, "log" | "receiverId" | "lastSeqs"> {
  return {
    integrations: integrationsOf(config, data.token),
    clock,
    metrics,
    logger,
    limits: receiverLimitsOf(config),
    onDelivered: (integration, at) => {
      feed.delivered(integration, at);
    },
  };
}
