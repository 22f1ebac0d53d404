import type { TicketSink } from "@winnow/ports";
import { CreateBudget } from "./create-budget.ts";
import { deliver } from "./deliver.ts";
import type { Lease, Workplace } from "./delivery-attempt.ts";
import type { DeliveryDependencies, DestinationSettings } from "./delivery-dependencies.ts";

const idleMs = 1_000;
/** How long requests under way may take to end when the worker is asked to stop. */
const finishMs = 10_000;
/** Time for a request beyond the vendor's own kill time, so that a lease never ends under a running request. */
const leaseSpareMs = 30_000;

/** Brings one destination to the desired state of every incident. The only place that retries. */
export class DeliveryWorker {
  readonly #work: Workplace;
  readonly #running = new Set<Promise<void>>();
  /** Cuts requests off. */
  readonly #cut = new AbortController();
  #wake: AbortController = new AbortController();
  #pausedUntil = 0;

  constructor(settings: DestinationSettings, sink: TicketSink, deps: DeliveryDependencies) {
    this.#work = {
      settings,
      sink,
      deps,
      budget: new CreateBudget(settings.maxCreatesPerMinute),
      cut: this.#cut.signal,
      pause: (ms) => {
        this.#pausedUntil = Math.max(this.#pausedUntil, deps.clock.monotonic() + ms);
      },
    };
  }

  /** Something may have become due. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal is aborted; what is under way then has ten seconds to end before it is cut off. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#work.settings.mode === "live") await this.#untilDone(signal, () => this.#requeueDryRuns());
    while (!signal.aborted) {
      const started = await this.#round().catch((error: unknown) => {
        this.#work.deps.report.trouble(this.#work.settings.name, error);
        return 0;
      });
      if (started === 0) await this.#rest(signal);
    }
    await this.#finish();
  }

  async #finish(): Promise<void> {
    const finished = new AbortController();
    const all = Promise.allSettled(this.#running).then(() => finished.abort());
    await this.#work.deps.clock.sleep(finishMs, finished.signal);
    this.#cut.abort();
    await all;
  }

  async #untilDone(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        this.#work.deps.report.trouble(this.#work.settings.name, error);
        await this.#work.deps.clock.sleep(idleMs, signal);
      }
    }
  }

  async #requeueDryRuns(): Promise<void> {
    await this.#work.deps.store.requeue(this.#work.settings.name);
  }

  async #rest(signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const stop = () => this.#wake.abort();
    signal.addEventListener("abort", stop, { once: true });
    await this.#work.deps.clock.sleep(await this.#restMs(), this.#wake.signal);
    signal.removeEventListener("abort", stop);
  }

  /** How long there is nothing to do, unless somebody wakes us; ms. The store is asked only where it can matter. */
  async #restMs(): Promise<number> {
    const { clock, store } = this.#work.deps;
    const paused = this.#pausedUntil - clock.monotonic();
    if (paused > 0) return paused;
    if (this.#running.size >= this.#work.settings.concurrency) return idleMs;
    const due = await store.nextDue(this.#work.settings.name).catch(() => null);
    const now = await store.storeNow().catch(() => null);
    return due === null || now === null ? idleMs : Math.min(idleMs, Math.max(due - now, 20));
  }

  /** Leases what is due and starts it. Resolves with the number of deliveries started. */
  async #round(): Promise<number> {
    const free = this.#work.settings.concurrency - this.#running.size;
    if (free <= 0 || this.#work.deps.clock.monotonic() < this.#pausedUntil) return 0;
    const token = this.#work.deps.ids.token();
    const leaseMs = this.#work.sink.killTimeMs + leaseSpareMs;
    const before = this.#work.deps.clock.monotonic();
    const rows = await this.#work.deps.store.lease(this.#work.settings.name, {
      token,
      leaseMs,
      killMs: this.#work.sink.killTimeMs,
      limit: free,
    });
    for (const row of rows) this.#start({ row, token, leasedUntil: before + leaseMs });
    return rows.length;
  }

  #start(lease: Lease): void {
    const work = deliver(this.#work, lease)
      .catch((error: unknown) => {
        this.#work.deps.report.trouble(this.#work.settings.name, error);
      })
      .finally(() => {
        this.#running.delete(work);
        this.wake();
      });
    this.#running.add(work);
  }
}
