import { WinnowError } from "@winnow/platform";
import type { StagePartition, StateCommit, StateRow, WindowStore } from "@winnow/ports";
import type { Operations } from "./operations.ts";
import type { VirtualProcess } from "./virtual-process.ts";
import type { WindowTables } from "./window-tables.ts";

export const storeFailed = (): WinnowError => new WinnowError("store_unavailable", "the store did not answer");
export const storeLost = (): WinnowError => new WinnowError("store_unknown", "the store did not answer in time");

/** The window store as one process sees it. */
export class FaultyWindowStore implements WindowStore {
  readonly #tables: WindowTables;
  readonly #process: VirtualProcess;
  readonly #operations: Operations;
  readonly #partitions: number;

  constructor(tables: WindowTables, process: VirtualProcess, operations: Operations, partitions: number) {
    this.#tables = tables;
    this.#process = process;
    this.#operations = operations;
    this.#partitions = partitions;
  }

  claim(at: StagePartition, token: string): ReturnType<WindowStore["claim"]> {
    return this.#write("windows.claim", () => this.#tables.claim(at, token));
  }

  load(at: StagePartition, token: string, position: number, keys: readonly string[]): ReturnType<WindowStore["load"]> {
    return this.#read("windows.load", () => this.#tables.load(at, token, position, keys));
  }

  commit(at: StagePartition, token: string, previous: number, commit: StateCommit): ReturnType<WindowStore["commit"]> {
    return this.#write("windows.commit", () => this.#tables.commit(at, token, previous, commit));
  }

  verify(at: StagePartition, token: string, position: number): Promise<boolean> {
    return this.#read("windows.verify", () => this.#tables.verify(at, token, position));
  }

  metas(stage: "A" | "B"): ReturnType<WindowStore["metas"]> {
    return this.#read("windows.metas", () =>
      Array.from({ length: this.#partitions }, (_, partition) => ({
        partition,
        meta: this.#tables.meta({ stage, partition }),
      })),
    );
  }

  scan(
    at: StagePartition,
    range: { readonly prefix: string; readonly after: string | null; readonly limit: number },
  ): Promise<readonly StateRow[]> {
    return this.#read("windows.scan", () => this.#tables.scan(at, range));
  }

  peek(at: StagePartition, keys: readonly string[]): Promise<readonly StateRow[]> {
    return this.#read("windows.peek", () => this.#tables.peek(at, keys));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #read<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: false, apply, failed: storeFailed });
  }

  #write<Value>(name: string, apply: () => Value): Promise<Value> {
    return this.#operations.call(this.#process, { name, effect: true, apply, failed: storeFailed, lost: storeLost });
  }
}
