import type { KafkaRequest } from "./kafkajs.ts";
import { WireReader, WireWriter } from "./wire.ts";

/**
 * Three requests in versions that name a topic by its id, which kafkajs does not have: so a topic that was deleted and
 * made again is refused by the broker, never read or written by mistake. Layouts:
 * https://kafka.apache.org/protocol#protocol_messages
 */
const apis = {
  produce: { key: 0, name: "Produce" },
  fetch: { key: 1, name: "Fetch" },
  metadata: { key: 3, name: "Metadata" },
} as const;

/** Versions that must be there: Kafka 3.1 and later have them. */
export const neededVersions = [
  { api: apis.fetch, version: 13 },
  { api: apis.metadata, version: 12 },
  { api: apis.produce, version: 9 },
] as const;

/** From this version on a produce names the topic by its id: Kafka 4.1 and later. */
export const produceByIdVersion = 13;
const produceByNameVersion = 9;

const noTopicId = "0".repeat(32);

export interface Metadata {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topics: readonly MetadataTopic[];
}

export interface MetadataTopic {
  readonly errorCode: number;
  readonly name: string;
  /** 32 hex digits; born with the topic. */
  readonly id: string;
  readonly partitions: readonly {
    readonly partition: number;
    /** Node id; -1 where there is none. */
    readonly leader: number;
    readonly epoch: number;
  }[];
}

export function metadataRequest(names: readonly string[]): KafkaRequest<Metadata> {
  const write = (to: WireWriter) =>
    to
      .array(names, (name) => to.uuid(noTopicId).string(name).tags())
      .int8(0) // allow_auto_topic_creation
      .int8(0); // include_topic_authorized_operations
  return flexible({ api: apis.metadata, version: 12 }, write, (from) => {
    const throttleMs = from.int32();
    const brokers = from.array(() => {
      const broker = { nodeId: from.int32(), host: from.string() ?? "", port: from.int32() };
      from.string(); // rack
      from.tags();
      return broker;
    });
    from.string(); // cluster_id
    from.int32(); // controller_id
    return { throttleMs, answer: { brokers, topics: from.array(() => readTopic(from)) } };
  });
}

function readTopic(from: WireReader): MetadataTopic {
  const head = { errorCode: from.int16(), name: from.string() ?? "", id: from.uuid() };
  from.int8(); // is_internal
  const partitions = from.array(() => {
    from.int16(); // error_code: the leader says as much
    const place = { partition: from.int32(), leader: from.int32(), epoch: from.int32() };
    for (let list = 0; list < 3; list += 1) from.array(() => from.int32()); // replicas, in sync, offline
    from.tags();
    return place;
  });
  from.int32(); // topic_authorized_operations
  from.tags();
  return { ...head, partitions };
}

interface TopicPartition {
  readonly topicId: string;
  readonly topicName: string;
  readonly partition: number;
}

export interface FetchOptions extends TopicPartition {
  readonly epoch: number;
  readonly offset: number;
  readonly maxBytes: number;
  /** How long the broker waits for a record at `offset`; 0 = it answers at once. */
  readonly maxWaitMs: number;
}

export interface Fetched {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly startOffset: number;
  /** Record batches, the last of them perhaps cut off. */
  readonly batches: Buffer;
}

const noErrorFetched: Fetched = { errorCode: 0, highWatermark: -1, startOffset: -1, batches: Buffer.alloc(0) };

export function fetchRequest(options: FetchOptions): KafkaRequest<Fetched> {
  const write = (to: WireWriter) =>
    to
      .int32(-1) // replica_id: a consumer
      .int32(options.maxWaitMs)
      .int32(1) // min_bytes
      .int32(options.maxBytes)
      .int8(0) // isolation_level: nothing here is transactional
      .int32(0) // session_id
      .int32(-1) // session_epoch: no session
      .array([options], (one) =>
        to
          .uuid(one.topicId)
          .array([one], ({ partition, epoch, offset, maxBytes }) =>
            to.int32(partition).int32(epoch).int64(offset).int32(-1).int64(-1).int32(maxBytes).tags(),
          )
          .tags(),
      )
      .array([], () => {}) // forgotten_topics_data
      .string(""); // rack_id
  return flexible({ api: apis.fetch, version: 13 }, write, (from) => {
    const throttleMs = from.int32();
    const errorCode = from.int16();
    from.int32(); // session_id
    const [partition] = from
      .array(() => {
        from.uuid();
        const partitions = from.array(() => readFetched(from));
        from.tags();
        return partitions;
      })
      .flat();
    const answer = partition ?? noErrorFetched;
    return { throttleMs, answer: { ...answer, errorCode: errorCode === 0 ? answer.errorCode : errorCode } };
  });
}

function readFetched(from: WireReader): Fetched {
  from.int32(); // partition
  const errorCode = from.int16();
  const highWatermark = from.int64();
  from.int64(); // last_stable_offset
  const startOffset = from.int64();
  from.array(() => {
    from.int64();
    from.int64();
    from.tags();
  }); // aborted_transactions
  from.int32(); // preferred_read_replica
  const batches = from.bytes() ?? noErrorFetched.batches;
  from.tags();
  return { errorCode, highWatermark, startOffset, batches };
}

export interface ProduceOptions extends TopicPartition {
  /** How long the leader waits for its in-sync replicas. */
  readonly timeoutMs: number;
  readonly batch: Buffer;
}

export interface Produced {
  readonly errorCode: number;
  readonly message: string | null;
  readonly baseOffset: number;
}

/** One batch to one partition, acknowledged by all in-sync replicas. */
export function produceRequest(options: ProduceOptions, byId: boolean): KafkaRequest<Produced> {
  const name = (to: WireWriter) => (byId ? to.uuid(options.topicId) : to.string(options.topicName));
  const write = (to: WireWriter) =>
    to
      .string(null) // transactional_id
      .int16(-1) // acks
      .int32(options.timeoutMs)
      .array([options], (one) =>
        name(to)
          .array([one], ({ partition, batch }) => to.int32(partition).bytes(batch).tags())
          .tags(),
      );
  return flexible(
    {
      api: apis.produce,
      version: byId ? produceByIdVersion : produceByNameVersion,
      payloadBytes: options.batch.length,
    },
    write,
    (from) => {
      const [answer] = from
        .array(() => {
          if (byId) from.uuid();
          else from.string();
          const partitions = from.array(() => readProduced(from));
          from.tags();
          return partitions;
        })
        .flat();
      if (answer === undefined) throw new RangeError("a produce was answered without its partition");
      return { throttleMs: from.int32(), answer };
    },
  );
}

function readProduced(from: WireReader): Produced {
  from.int32(); // partition
  const errorCode = from.int16();
  const baseOffset = from.int64();
  from.int64(); // log_append_time
  from.int64(); // log_start_offset
  from.array(() => {
    from.int32();
    from.string();
    from.tags();
  }); // record_errors
  const message = from.string();
  from.tags();
  return { errorCode, message, baseOffset };
}

/** A request with header version 2, whose answer has header version 1: both end with tagged fields. */
function flexible<T>(
  {
    api,
    version,
    payloadBytes,
  }: { readonly api: (typeof apis)[keyof typeof apis]; readonly version: number; readonly payloadBytes?: number },
  write: (to: WireWriter) => WireWriter,
  read: (from: WireReader) => { readonly throttleMs: number; readonly answer: T },
): KafkaRequest<T> {
  const buffer = write(new WireWriter(payloadBytes).tags()).tags().buffer();
  return {
    request: {
      apiKey: api.key,
      apiVersion: version,
      apiName: api.name,
      encode: () => Promise.resolve({ buf: buffer, buffer }),
    },
    response: {
      decode: (raw) => {
        const from = new WireReader(raw);
        from.tags();
        const { throttleMs, answer } = read(from);
        return Promise.resolve({ ...answer, clientSideThrottleTime: throttleMs });
      },
      parse: (answer) => Promise.resolve(answer),
    },
  };
}
