import { hash } from "node:crypto";
import type { CorrelatorOptions } from "@winnow/correlator";
import type { Config, Logger, Metrics } from "@winnow/platform";
import type { Clock, IncidentStore, StagePartition } from "@winnow/ports";
import { type ReceiverLimits, receiverLimits } from "@winnow/receiver";
import type { RouterDestination, RouterOptions } from "@winnow/router";
import type { CheckpointReporter, ClaimLostListener, LoopSettings, ProcessFacts, RuleBook } from "@winnow/runtime";
import type { Stores } from "./open-stores.ts";
import { randomIds, sha256 } from "./platform-parts.ts";
import type { RecordedFeed } from "./recorded-feed.ts";

/** What every part of the process works with. */
export interface Shared extends Stores {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly rules: RuleBook;
  readonly feed: RecordedFeed;
}

/** States of alerts, groups and incidents kept in memory, per partition. */
const statesInMemory = 200_000;
const incidentsInMemory = 20_000;
const deploymentFact = "deployment_id";

function loopSettings(config: Config): Partial<LoopSettings> {
  return { commitMs: config.limits.commit_interval, commitEvents: config.limits.commit_events };
}

export function correlatorOptionsOf(config: Config, shared: Shared, facts: ProcessFacts): CorrelatorOptions {
  const { log, windows, clock, logger, rules, cluster } = shared;
  return {
    claimLost: claimLostCounter(shared),
    log,
    windows,
    clock,
    ids: randomIds,
    hash: sha256,
    logger,
    rules,
    cacheMax: statesInMemory,
    settings: loopSettings(config),
    facts,
    ...(cluster === null
      ? {}
      : { checkpoints: cluster.checkpoints, checkpointReport: checkpointReporter(shared), join: cluster.join }),
  };
}

function claimLostCounter({ metrics }: Pick<Shared, "metrics">): ClaimLostListener {
  return (stage, why) => {
    metrics.add("winnow_claims_lost_total", { stage, why });
  };
}

/** Counts every checkpoint, and says once that a partition's fail, and once that they are saved again. */
function checkpointReporter({ metrics, logger }: Pick<Shared, "metrics" | "logger">): CheckpointReporter {
  const failing = new Set<string>();
  const nameOf = ({ stage, partition }: StagePartition): string => `${stage}/${partition}`;
  return {
    saved: (at) => {
      metrics.add("winnow_checkpoints_total", { stage: at.stage });
      if (failing.delete(nameOf(at))) logger.info("checkpoints are saved again", { ...at });
    },
    restored: (at, { from, to }) => {
      logger.warn("the window store had lost states; they are restored from the checkpoint", { ...at, from, to });
    },
    failed: (at, error) => {
      metrics.add("winnow_checkpoint_failures_total", { stage: at.stage });
      if (failing.has(nameOf(at))) return;
      failing.add(nameOf(at));
      logger.warn("a checkpoint could not be saved; it is tried again, and the log keeps what it needs", {
        ...at,
        error,
      });
    },
  };
}

export async function routerOptionsOf(
  config: Config,
  shared: Shared,
  delivery: { readonly destinations: readonly RouterDestination[]; readonly publicUrl: () => string },
): Promise<RouterOptions> {
  const { log, store, clock, logger, metrics, rules, feed, cluster } = shared;
  return {
    claimLost: claimLostCounter(shared),
    log,
    store,
    clock,
    ids: randomIds,
    logger,
    alone: cluster === null,
    ...(cluster === null ? {} : { join: cluster.join }),
    settings: loopSettings(config),
    destinations: delivery.destinations,
    record: {
      rules,
      hash: sha256,
      cacheMax: incidentsInMemory,
      recorded: (incidents) => {
        feed.recorded(incidents);
      },
    },
    delivery: {
      random: Math.random,
      deploymentId: await deploymentIdOf(store),
      publicUrl: delivery.publicUrl,
      report: {
        attempt: (destination, result) => {
          metrics.add("winnow_delivery_attempts_total", { destination, result });
        },
        twins: (destination, count) => {
          metrics.add("winnow_ticket_twins_total", { destination }, count);
          logger.error("several tickets carry one key", { destination, count });
        },
        ticketed: (_destination, ms) => {
          metrics.observe("winnow_post_to_ticket_seconds", ms / 1_000);
        },
        trouble: (destination, error) => {
          logger.warn("a delivery is tried again", { destination, error });
        },
      },
    },
  };
}

/** Names this installation in every ticket's key; 8 hex digits, made once. */
async function deploymentIdOf(store: IncidentStore): Promise<string> {
  return store.keepFact(deploymentFact, hash("sha256", randomIds.token()).slice(0, 8));
}

export function receiverLimitsOf(config: Config): Partial<ReceiverLimits> {
  const { limits } = config;
  return {
    bodyBytes: limits.body_bytes,
    jsonDepth: limits.json_depth,
    itemsPerDelivery: limits.items_per_delivery,
    inflateRatio: limits.inflate_ratio,
    deadLetterBytes: limits.dead_letter_bytes,
    requestTimeoutMs: limits.request_timeout,
    // Node takes no longer time for the head than for the whole request.
    headersTimeoutMs: Math.min(receiverLimits.headersTimeoutMs, limits.request_timeout),
    pendingBytes: limits.pending_bytes,
    pendingDeliveries: limits.pending_deliveries,
  };
}
