/** Kafka's "flexible" encoding (KIP-482) of the request versions that kafkajs does not have. */

const firstBytes = 512;

export class WireWriter {
  #buffer: Buffer;
  #size = 0;

  /** `payloadBytes` of room are made beside that for the usual fields. */
  constructor(payloadBytes = 0) {
    this.#buffer = Buffer.allocUnsafe(firstBytes + payloadBytes);
  }

  int8(value: number): this {
    const at = this.#grow(1);
    this.#buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#grow(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#grow(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  int64(value: number): this {
    const at = this.#grow(8);
    this.#buffer.writeBigInt64BE(BigInt(value), at);
    return this;
  }

  uvarint(value: number): this {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.#byte((rest & 0x7f) | 0x80);
    return this.#byte(rest);
  }

  /** Raw bytes, without a length. */
  raw(bytes: Buffer): this {
    const at = this.#grow(bytes.length);
    bytes.copy(this.#buffer, at);
    return this;
  }

  /** null has the length 0, anything else its length and one. */
  bytes(value: Buffer | null): this {
    return value === null ? this.uvarint(0) : this.uvarint(value.length + 1).raw(value);
  }

  string(value: string | null): this {
    return this.bytes(value === null ? null : Buffer.from(value));
  }

  /** A uuid as 32 hex digits. */
  uuid(hex: string): this {
    return this.raw(Buffer.from(hex, "hex"));
  }

  array<T>(items: readonly T[], write: (item: T, to: this) => void): this {
    this.uvarint(items.length + 1);
    for (const item of items) write(item, this);
    return this;
  }

  /** No tagged fields. */
  tags(): this {
    return this.uvarint(0);
  }

  buffer(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  #byte(value: number): this {
    const at = this.#grow(1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  /** Makes room and returns where to write; the buffer may be another one afterwards. */
  #grow(bytes: number): number {
    const at = this.#size;
    this.#size += bytes;
    if (this.#size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#size, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    return at;
  }
}

/** Reads an answer; throws a RangeError where it ends too early. */
export class WireReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  int8(): number {
    return this.#buffer.readInt8(this.#step(1));
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#step(4));
  }

  /** Offsets and times: all stay below 2^53. */
  int64(): number {
    return Number(this.#buffer.readBigInt64BE(this.#step(8)));
  }

  uvarint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#buffer.readUInt8(this.#step(1));
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  raw(length: number): Buffer {
    const at = this.#step(length);
    if (at + length > this.#buffer.length) throw new RangeError("the answer ends too early");
    return this.#buffer.subarray(at, at + length);
  }

  bytes(): Buffer | null {
    const length = this.uvarint();
    return length === 0 ? null : this.raw(length - 1);
  }

  string(): string | null {
    return this.bytes()?.toString("utf8") ?? null;
  }

  uuid(): string {
    return this.raw(16).toString("hex");
  }

  /** A null array is empty. */
  array<T>(read: () => T): T[] {
    const length = this.uvarint();
    return Array.from({ length: Math.max(0, length - 1) }, read);
  }

  /** Passes over tagged fields: none of them is used. */
  tags(): void {
    for (let count = this.uvarint(); count > 0; count -= 1) {
      this.uvarint();
      this.raw(this.uvarint());
    }
  }

  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
