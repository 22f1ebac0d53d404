import type { Logger } from "@winnow/platform";
import type { Clock, EventLog, Ids, IncidentStore, JoinStage, TicketSink } from "@winnow/ports";
import {
  type ClaimLostListener,
  type DeliveryDependencies,
  DeliveryWorker,
  type DestinationSettings,
  type LoopSettings,
  type PartitionHealth,
  PartitionSet,
  type RecordDependencies,
  RecordSession,
} from "@winnow/runtime";

export interface RouterDestination {
  readonly settings: DestinationSettings;
  readonly sink: TicketSink;
}

export interface RouterOptions {
  readonly log: EventLog;
  readonly store: IncidentStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly record: Omit<RecordDependencies, "log" | "store" | "wished">;
  readonly delivery: Omit<DeliveryDependencies, "store" | "clock" | "ids">;
  readonly destinations: readonly RouterDestination[];
  /** This process alone delivers (embedded): what a dead one left under way is looked up at once. */
  readonly alone: boolean;
  readonly settings?: Partial<LoopSettings>;
  /** Shares the partitions of stage C with other processes; without it all run here. */
  readonly join?: JoinStage;
  readonly claimLost?: ClaimLostListener;
}

interface Running {
  readonly worker: DeliveryWorker;
  readonly stop: AbortController;
}

/** Stage C (record) over all partitions, and one delivery worker per destination. */
export class Router {
  readonly #options: RouterOptions;
  readonly #set: PartitionSet;
  /** The workers in force, by destination. */
  #running = new Map<string, Running>();
  /** Every worker that has not ended yet, those of former configurations too; their sinks are closed at the end. */
  readonly #ends = new Set<Promise<void>>();
  #isStopping = false;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { log, store, clock, ids, logger, settings, join, claimLost } = options;
    const record: RecordDependencies = {
      ...options.record,
      log,
      store,
      wished: (destinations) => {
        for (const name of destinations) this.#running.get(name)?.worker.wake();
      },
    };
    this.#set = new PartitionSet({
      stage: "C",
      topic: "incident-events",
      log,
      clock,
      ids,
      logger,
      ...(settings === undefined ? {} : { settings }),
      ...(join === undefined ? {} : { join }),
      ...(claimLost === undefined ? {} : { claimLost }),
      open: async (partition, token) => RecordSession.open(partition, token, record),
    });
  }

  async start(): Promise<void> {
    if (this.#options.alone) await this.#options.store.recoverInflight();
    this.#set.start();
    this.#startWorkers(this.#options.destinations);
  }

  /** Puts another set of destinations in force at once. What is under way at the old ones ends beside them. */
  reload(destinations: readonly RouterDestination[]): void {
    this.#stopWorkers();
    // After a stop nothing begins any more: the workers find their signals aborted and close what they were given.
    this.#startWorkers(destinations);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopWorkers();
    await Promise.all([this.#set.stop(), ...this.#ends]);
  }

  health(): PartitionHealth[] {
    return this.#set.health();
  }

  #startWorkers(destinations: readonly RouterDestination[]): void {
    this.#running = new Map(
      destinations.map(({ settings, sink }) => [settings.name, this.#startWorker(settings, sink)]),
    );
  }

  #startWorker(settings: DestinationSettings, sink: TicketSink): Running {
    const { store, clock, ids, delivery } = this.#options;
    const worker = new DeliveryWorker(settings, sink, { ...delivery, store, clock, ids });
    const stop = new AbortController();
    if (this.#isStopping) stop.abort();
    const end = worker
      .run(stop.signal)
      .then(() => sink.close())
      .catch((error: unknown) => {
        delivery.report.trouble(settings.name, error);
      })
      .finally(() => this.#ends.delete(end));
    this.#ends.add(end);
    return { worker, stop };
  }

  #stopWorkers(): void {
    for (const { stop } of this.#running.values()) stop.abort();
  }
}
