import { setTimeout as pause } from "node:timers/promises";
import { type Product, type ProductOptions, type Ready, startProduct } from "./product.ts";
import type { Scratch } from "./scratch.ts";

/** Starts, kills and stops the one product of a run, and counts. */
export class Supervisor {
  kills = 0;
  killsWhileStarting = 0;
  /** Milliseconds from each start until it was ready. */
  readonly readyMs: number[] = [];
  readonly #settings: ProductOptions;
  #product: Product | null = null;

  constructor(settings: ProductOptions, scratch: Scratch) {
    this.#settings = settings;
    scratch.defer(async () => this.#product?.kill());
  }

  /** Starts it without waiting. */
  launch(): Product {
    this.#product = startProduct(this.#settings);
    return this.#product;
  }

  async start(): Promise<Ready> {
    const product = this.launch();
    const ready = await product.ready;
    this.readyMs.push(product.readyMs() ?? 0);
    return ready;
  }

  /** Node writes its cache of compiled code at an orderly end only; without one every start would compile anew. */
  async warmUp(): Promise<void> {
    const product = this.launch();
    await product.ready;
    this.readyMs.push(product.readyMs() ?? 0);
    await this.stop();
  }

  /** Resolves when none of its threads runs any more; only the kernel still ends what it was asked to do. */
  async freeze(): Promise<void> {
    this.#product?.signal("SIGSTOP");
    while (this.#product !== null && this.#product.runningThreads() > 0) await pause(1);
  }

  async kill(): Promise<void> {
    if (this.#product?.readyMs() === null) this.killsWhileStarting += 1;
    this.kills += 1;
    await this.#product?.kill();
    this.#product = null;
  }

  async stop(): Promise<void> {
    await this.#product?.stop();
    this.#product = null;
  }

  output(): string {
    return this.#product?.output() ?? "";
  }

  /** Half of the starts so far were faster. */
  medianReadyMs(): number {
    return this.readyMs.toSorted((a, b) => a - b)[this.readyMs.length >> 1] ?? 500;
  }
}
