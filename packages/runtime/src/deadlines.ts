/** A deadline of a key. */
interface Entry {
  readonly key: string;
  readonly at: number;
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.at < right.at || (left.at === right.at && left.key < right.key);
}

/**
 * Deadlines by key, served in order of (time, key). A deadline that moves later costs one map write:
 * the heap keeps its old entry and looks again when that one comes up.
 */
export class Deadlines {
  readonly #current = new Map<string, number>();
  readonly #heap: Entry[] = [];

  get size(): number {
    return this.#current.size;
  }

  /** Sets or, with null, clears the deadline of a key; epoch ms. */
  set(key: string, at: number | null): void {
    if (at === null) {
      this.#current.delete(key);
      return;
    }
    const before = this.#current.get(key);
    this.#current.set(key, at);
    if (before === undefined || at < before) this.#push({ key, at });
  }

  /** The earliest deadline, or null. */
  next(): number | null {
    this.#settleTop();
    return this.#heap[0]?.at ?? null;
  }

  /** Takes the first key whose deadline is at or before `now`, or null. Its deadline is cleared. */
  takeDue(now: number): string | null {
    this.#settleTop();
    const top = this.#heap[0];
    if (top === undefined || top.at > now) return null;
    this.#pop();
    this.#current.delete(top.key);
    return top.key;
  }

  /** Makes the top of the heap a true deadline. */
  #settleTop(): void {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      const at = this.#current.get(top.key);
      if (at === top.at) return;
      this.#pop();
      if (at !== undefined && at > top.at) this.#push({ key: top.key, at });
    }
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
      const [child, below] =
        second !== undefined && isBefore(second, first) ? ([left + 1, second] as const) : ([left, first] as const);
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
