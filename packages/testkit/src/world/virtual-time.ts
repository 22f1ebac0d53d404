/** Something that will happen at a virtual moment. */
export interface VirtualTimer {
  cancel(): void;
}

class Entry implements VirtualTimer {
  readonly at: number;
  readonly order: number;
  work: (() => void) | null;

  constructor(at: number, order: number, work: () => void) {
    this.at = at;
    this.order = order;
    this.work = work;
  }

  cancel(): void {
    this.work = null;
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.order < right.order);
}

/** The event loop's own turn: by then every microtask that could run has run. */
function microtasksDone(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Time that moves only when nothing else can: all promises settle first, then the next timer fires.
 * Timers of one moment fire in the order in which they were set.
 */
export class VirtualTime {
  #now: number;
  #order = 0;
  readonly #heap: Entry[] = [];

  /** `start`: epoch ms. */
  constructor(start: number) {
    this.#now = start;
  }

  get now(): number {
    return this.#now;
  }

  /** Calls `work` after `ms`. */
  after(ms: number, work: () => void): VirtualTimer {
    const entry = new Entry(this.#now + Math.max(0, ms), this.#order++, work);
    this.#push(entry);
    return entry;
  }

  /** Lets everything happen up to and including `until`, epoch ms. */
  async runUntil(until: number): Promise<void> {
    await microtasksDone();
    for (let top = this.#heap[0]; top !== undefined && top.at <= until; top = this.#heap[0]) {
      this.#pop();
      const work = top.work;
      if (work === null) continue;
      this.#now = top.at;
      work();
      await microtasksDone();
    }
    this.#now = Math.max(this.#now, until);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = at * 2 + 1;
      const first = heap[left];
      if (first === undefined) break;
      const second = heap[left + 1];
      const right = second !== undefined && isBefore(second, first);
      const below = right ? second : first;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = right ? left + 1 : left;
    }
    heap[at] = last;
  }
}
