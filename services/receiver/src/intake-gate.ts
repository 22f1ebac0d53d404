interface Waiting {
  readonly bytes: number;
  readonly open: () => void;
}

/**
 * Lets deliveries in to be decoded while the bodies of those between here and the disk are below a limit. The others
 * wait in order, as the bytes that they came as: those lie outside the heap, while decoded alerts that wait for the
 * disk would be copied by every collection of the young generation.
 */
export class IntakeGate {
  readonly #bytesMax: number;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Null: come in. Else resolves when it is this delivery's turn. Whoever came in leaves in the end. */
  enter(bytes: number): Promise<void> | null {
    if (this.#waiting.length === 0 && this.#hasRoom(bytes)) {
      this.#bytes += bytes;
      return null;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ bytes, open: resolve });
    return promise;
  }

  leave(bytes: number): void {
    this.#bytes -= bytes;
    for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.open();
    }
  }

  /** A delivery larger than the limit comes in alone. */
  #hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }
}
