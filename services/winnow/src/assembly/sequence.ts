/** Runs tasks one after the other, in the order in which they came; one that fails holds nothing up. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  async run<Value>(task: () => Promise<Value>): Promise<Value> {
    const mine = this.#last.then(task, task);
    this.#last = mine;
    return mine;
  }
}
