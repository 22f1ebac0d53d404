import { createRequire } from "node:module";
import { crc32 } from "node:zlib";
import type { LogValue } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { StoredRecord } from "@winnow/ports";
import { textOf } from "./failures.ts";

const load = createRequire(import.meta.url);

/** Headers of a record. Values are decimal text, so that any Kafka tool shows them. */
const header = {
  /** CRC-32 (zlib's) of the value: Kafka's own checksum ends at the broker. */
  crc: "crc32",
  /** Number of accepted events; left out when 0. */
  events: "events",
  /** How old the record was on its sender's clock when it was sent, ms; for receivers' records alone. */
  age: "age_ms",
} as const;

/** A record on its way in. */
export interface EncodedRecord {
  readonly value: Buffer;
  readonly crc: string;
  readonly events: number;
  /** Sender's wall clock when it was received, ms; null for anything but receivers' records. */
  readonly receivedMs: number | null;
  readonly key?: string;
}

/** A record on its way out, its value not parsed yet. */
export interface RawRecord {
  readonly offset: number;
  readonly appended_ms: number;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** Records read in one piece. */
export interface Chunk {
  readonly records: readonly RawRecord[];
  /** Where reading goes on: compaction and cut-off batches leave gaps behind the last record. */
  readonly next: number;
}

export function encodeRecord(text: string, about: { events: number; receivedMs: number | null }): EncodedRecord {
  const value = Buffer.from(text);
  return { value, crc: String(crc32(value)), ...about };
}

export interface BatchOptions {
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  /** Sender's wall clock, ms. */
  readonly nowMs: number;
}

interface KafkaCodec {
  readonly record: (record: object) => unknown;
  readonly batch: (batch: object) => Promise<{ readonly buffer: Buffer }>;
}

function codec(): KafkaCodec {
  return {
    record: load("kafkajs/src/protocol/recordBatch/record/v0") as KafkaCodec["record"],
    batch: (load("kafkajs/src/protocol/recordBatch/v0") as { RecordBatch: KafkaCodec["batch"] }).RecordBatch,
  };
}

/** Builds one batch: Kafka writes it whole or not at all. */
export async function encodeBatch(records: readonly EncodedRecord[], options: BatchOptions): Promise<Buffer> {
  const { record, batch } = codec();
  const encoded = await batch({
    records: records.map((one, offsetDelta) =>
      record({ offsetDelta, key: one.key ?? null, value: one.value, headers: headersOf(one, options.nowMs) }),
    ),
    firstTimestamp: options.nowMs,
    maxTimestamp: options.nowMs,
    producerId: options.producerId,
    producerEpoch: options.producerEpoch,
    firstSequence: options.firstSequence,
    lastOffsetDelta: records.length - 1,
  });
  return encoded.buffer;
}

function headersOf(record: EncodedRecord, nowMs: number): Record<string, string> {
  const headers: Record<string, string> = { [header.crc]: record.crc };
  if (record.events > 0) headers[header.events] = String(record.events);
  if (record.receivedMs !== null) headers[header.age] = String(Math.max(0, Math.round(nowMs - record.receivedMs)));
  return headers;
}

interface KafkaRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

interface BatchDecoder {
  canReadBytes(length: number): boolean;
}

interface DecodedBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly isControlBatch: boolean;
  readonly records: readonly KafkaRecord[];
}

/** A batch that is shorter than its own head was cut off by the byte limit of the read. */
const batchHeadBytes = 61;

/** Reads whole batches; records below `from` are left out, since a batch is served from its beginning. */
export async function decodeBatches(batches: Buffer, from: number): Promise<Chunk> {
  const Decoder = load("kafkajs/src/protocol/decoder") as new (buffer: Buffer) => BatchDecoder;
  const decode = load("kafkajs/src/protocol/recordBatch/v0/decoder") as (
    decoder: BatchDecoder,
  ) => Promise<DecodedBatch>;
  const decoder = new Decoder(batches);
  const records: RawRecord[] = [];
  let next = from;
  while (decoder.canReadBytes(batchHeadBytes)) {
    let batch: DecodedBatch;
    try {
      batch = await decode(decoder);
    } catch (error) {
      if (error instanceof Error && error.name === "KafkaJSPartialMessageError") break;
      throw decodeError(error, next);
    }
    next = Math.max(next, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
    if (batch.isControlBatch) continue;
    for (const record of batch.records) if (Number(record.offset) >= from) records.push(rawRecord(record));
  }
  return { records, next };
}

function decodeError(error: unknown, offset: number): WinnowError {
  if (error instanceof Error && error.name === "KafkaJSNotImplemented") {
    const message = `records from offset ${offset} on are compressed in a way that is not supported: set compression.type of the topic to producer or gzip`;
    return new WinnowError("store_unsuitable", message, { cause: error, fields: { offset } });
  }
  const message = `a batch of records at or behind offset ${offset} cannot be read: ${textOf(error)}`;
  return new WinnowError("log_corrupt", message, { cause: error, fields: { offset } });
}

function rawRecord(record: KafkaRecord): RawRecord {
  return {
    offset: Number(record.offset),
    appended_ms: Number(record.timestamp),
    key: record.key,
    value: record.value ?? Buffer.alloc(0),
    headers: record.headers,
  };
}

/** Number of accepted events in a record. */
export function eventsOf(record: RawRecord): number {
  const text = record.headers[header.events]?.toString();
  return text === undefined ? 0 : Number(text);
}

/** Checks and parses a record. Throws `log_corrupt`. */
export function parseRecord(record: RawRecord, where: { topic: string; partition: number }): StoredRecord {
  const { offset, appended_ms } = record;
  const refuse = (why: string, cause?: unknown): never => {
    const message = `the record at offset ${offset} of ${where.topic} partition ${where.partition} ${why}`;
    throw new WinnowError("log_corrupt", message, { cause, fields: { ...where, offset } });
  };
  const crc = record.headers[header.crc]?.toString();
  if (crc === undefined) return refuse("was not written by Winnow");
  if (crc !== String(crc32(record.value))) return refuse("fails its checksum");
  const age = record.headers[header.age]?.toString();
  const value = parseValue(record.value, refuse);
  return age === undefined ? { offset, appended_ms, value } : { offset, appended_ms, age_ms: Number(age), value };
}

function parseValue(bytes: Buffer, refuse: (why: string, cause?: unknown) => never): LogValue {
  try {
    return JSON.parse(bytes.toString()) as LogValue;
  } catch (error) {
    return refuse("is no JSON", error);
  }
}
