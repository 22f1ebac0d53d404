import type { Config, Shutdown } from "@winnow/platform";
import { Receiver, receiverIdOf, recoverSeqs } from "@winnow/receiver";
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

/** Opens what takes deliveries, and what tells the stages how that goes. */
export async function openReceiving(config: Config, parts: ReceivingParts): Promise<Receiving> {
  const { log, windows, store, feed, data } = parts;
  const receiverId = await receiverIdOf(store, randomIds);
  const receiver = new Receiver({
    ...commonOptions(config, parts),
    integrations: integrationsOf(config, data.token),
    log,
    receiverId,
    lastSeqs: await recoverSeqs({ log, metas: await windows.metas("A"), receiverId }),
  });
  return {
    receiver,
    facts: { readySince: () => receiver.readySinceMs(), delivered: () => feed.lastDelivered() },
  };
}

function commonOptions(config: Config, { clock, metrics, logger, feed }: ReceivingParts) {
  return {
    clock,
    metrics,
    logger,
    limits: receiverLimitsOf(config),
    onDelivered: (integration: string, at: number) => {
      feed.delivered(integration, at);
    },
  };
}
