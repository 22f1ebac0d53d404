import { createRequire } from "node:module";
import type { ConnectionOptions } from "node:tls";
import { assert, type Logger } from "@winnow/platform";
import { type KafkaConfig, logLevel, type SASLOptions } from "kafkajs";

/**
 * The one door to kafkajs' inside. It has no `exports` map, is pinned, and unmaintained since 2023; what stands here was
 * read in and tried with this version alone, so any other is refused.
 */
const testedVersion = "2.2.4";

const load = createRequire(import.meta.url);

export type KafkaSsl = true | ConnectionOptions;
export type KafkaSasl = Extract<SASLOptions, { mechanism: "plain" | "scram-sha-256" | "scram-sha-512" }>;

/** What kafkajs' `Connection.send` takes: a request of any API and version, and how to read its answer. */
export interface KafkaRequest<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    /** kafkajs takes its own encoder; these two fields are all that it looks at. */
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    decode(raw: Buffer): Promise<T & { readonly clientSideThrottleTime: number }>;
    parse(answer: T): Promise<T>;
  };
}

interface VersionRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

interface GroupMember {
  readonly memberId: string;
  readonly memberMetadata: Buffer;
}

export interface JoinedGroup {
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  /** For the leader alone; empty for the others. */
  readonly members: readonly GroupMember[];
}

/** kafkajs' `Broker`, as far as it is used: requests that it has in a version that Kafka 4 still takes. */
export interface KafkaBroker {
  connect(): Promise<void>;
  readonly versions: Readonly<Record<number, VersionRange>> | null;
  initProducerId(options: {
    transactionTimeout: number;
  }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  listOffsets(options: {
    isolationLevel: number;
    topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: number }[] }[];
  }): Promise<{ readonly responses: readonly { partitions: readonly { offset: string }[] }[] }>;
  deleteRecords(options: {
    topics: readonly { topic: string; partitions: readonly { partition: number; offset: number }[] }[];
    timeout: number;
  }): Promise<unknown>;
  findGroupCoordinator(options: { groupId: string; coordinatorType: number }): Promise<{
    readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
  }>;
  joinGroup(options: {
    groupId: string;
    memberId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    protocolType: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  }): Promise<JoinedGroup>;
  syncGroup(options: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer | null }>;
  heartbeat(options: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(options: { groupId: string; memberId: string }): Promise<unknown>;
}

/** kafkajs' `Connection`. */
export interface KafkaConnection {
  isConnected(): boolean;
  send<T>(request: KafkaRequest<T>): Promise<T>;
  rejectRequests(error: Error): void;
  disconnect(): Promise<boolean>;
  readonly socket?: { destroy(): void };
  /** Answers tell how long the broker wants to be left alone; requests wait for that inside kafkajs. */
  readonly requestQueue: { readonly throttledUntil: number };
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionSettings {
  readonly clientId: string;
  readonly connectMs: number;
  readonly requestMs: number;
  readonly ssl: KafkaSsl | null;
  readonly sasl: KafkaSasl | null;
}

interface Internals {
  readonly Broker: new (options: object) => KafkaBroker;
  readonly ConnectionPool: new (options: object) => { pool: KafkaConnection[] };
  readonly createLogger: (options: { level: number; logCreator: KafkaConfig["logCreator"] }) => unknown;
  readonly socketFactory: unknown;
}

/** kafkajs' inside, mended. Throws where another version is installed. */
export function kafkajsInternals(): Internals {
  const { version } = load("kafkajs/package.json") as { version: string };
  assert(version === testedVersion, `kafkajs is ${testedVersion}, found ${version}`);
  mendRequestQueue();
  return {
    Broker: load("kafkajs/src/broker") as Internals["Broker"],
    ConnectionPool: load("kafkajs/src/network/connectionPool") as Internals["ConnectionPool"],
    createLogger: (load("kafkajs/src/loggers") as { createLogger: Internals["createLogger"] }).createLogger,
    socketFactory: (load("kafkajs/src/network/socketFactory") as () => unknown)(),
  };
}

interface RequestQueue {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  readonly throttledUntil: number;
  readonly pending: readonly unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const retryPendingMs = 10;

/**
 * kafkajs asks for its pending requests with a timer that never rests: 3,500 timers a second and a
 * `TimeoutNegativeWarning` on Node 24 and later. This one runs only while requests wait, and no sooner than the
 * throttling of the broker ends.
 */
function mendRequestQueue(): void {
  const queue = load("kafkajs/src/network/requestQueue") as { prototype: RequestQueue };
  queue.prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests;
}

function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
  const ms = this.throttledUntil - Date.now();
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    ms > 0 ? ms : retryPendingMs,
  );
}

/**
 * kafkajs logs many conditions that pass by themselves as errors. All that matters comes back from its calls and is
 * judged there, so what it says is for debugging.
 */
export function quietLogCreator(logger: Logger): NonNullable<KafkaConfig["logCreator"]> {
  return () => (entry) => {
    const { message, ...fields } = entry.log;
    logger.debug(`kafkajs ${entry.namespace}: ${message}`, { level: entry.label, broker: fields["broker"] });
  };
}

/** Warnings and errors; its details are many and slow. */
export const kafkajsLogLevel = logLevel.WARN;

/** One connection to one broker; kafkajs would open a second one for fetches. */
export function openConnection(
  address: BrokerAddress,
  settings: ConnectionSettings,
  logger: Logger,
): { readonly broker: KafkaBroker; readonly connection: KafkaConnection } {
  const { Broker, ConnectionPool, createLogger, socketFactory } = kafkajsInternals();
  const kafkaLogger = createLogger({ level: kafkajsLogLevel, logCreator: quietLogCreator(logger) });
  const connectionPool = new ConnectionPool({
    ...address,
    clientId: settings.clientId,
    connectionTimeout: settings.connectMs,
    requestTimeout: settings.requestMs,
    // Deadlines are kept by the link: kafkajs' own would poll ten times a second and leave the connection open.
    enforceRequestTimeout: false,
    ssl: settings.ssl,
    sasl: settings.sasl,
    logger: kafkaLogger,
    socketFactory,
  });
  const [connection] = connectionPool.pool;
  assert(connection !== undefined, "a pool has connections");
  connectionPool.pool = [connection, connection];
  const broker = new Broker({
    connectionPool,
    logger: kafkaLogger,
    allowAutoTopicCreation: false,
    authenticationTimeout: settings.connectMs,
  });
  return { broker, connection };
}
