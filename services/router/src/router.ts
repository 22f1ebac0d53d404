import type { Logger } from "@winnow/platform";
import type { Clock, EventLog, Ids, IncidentStore, TicketSink } from "@winnow/ports";
import {
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
}

interface Running {
  readonly worker: DeliveryWorker;
  readonly done: Promise<void>;
  readonly sink: TicketSink;
  readonly stop: AbortController;
}

/** Stage C (record) over all partitions, and one delivery worker per destination. */
export class Router {
  readonly #options: RouterOptions;
  readonly #set: PartitionSet;
  #running = new Map<string, Running>();

  constructor(options: RouterOptions) {
    this.#options = options;
    const { log, store, clock, ids, logger, settings } = options;
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
      open: async (partition, token) => RecordSession.open(partition, token, record),
    });
  }

  async start(): Promise<void> {
    if (this.#options.alone) await this.#options.store.recoverInflight();
    this.#set.start();
    this.#startWorkers(this.#options.destinations);
  }

  /** Puts another set of destinations in force; what is under way at the old ones is finished first. */
  async reload(destinations: readonly RouterDestination[]): Promise<void> {
    await this.#stopWorkers();
    this.#startWorkers(destinations);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#set.stop(), this.#stopWorkers()]);
  }

  health(): PartitionHealth[] {
    return this.#set.health();
  }

  #startWorkers(destinations: readonly RouterDestination[]): void {
    const { store, clock, ids, delivery } = this.#options;
    this.#running = new Map(
      destinations.map(({ settings, sink }) => {
        const worker = new DeliveryWorker(settings, sink, { ...delivery, store, clock, ids });
        const stop = new AbortController();
        return [settings.name, { worker, sink, stop, done: worker.run(stop.signal) }];
      }),
    );
  }

  async #stopWorkers(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort();
    await Promise.allSettled(running.map(async ({ done }) => done));
    await Promise.allSettled(running.map(async ({ sink }) => sink.close()));
  }
}
