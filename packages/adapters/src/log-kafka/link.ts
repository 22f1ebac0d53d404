import { type Logger, WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import { KafkaRefusal, LinkFailure, textOf } from "./failures.ts";
import {
  type BrokerAddress,
  type ConnectionSettings,
  type KafkaBroker,
  type KafkaConnection,
  type KafkaRequest,
  openConnection,
} from "./kafkajs.ts";
import { neededVersions, produceByIdVersion } from "./requests.ts";

export interface LinkSettings extends ConnectionSettings {
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often connections had to be given up; for metrics. */
export interface LinkCounts {
  /** Nothing was heard in time: the connection was cut and made anew. */
  late: number;
  lost: number;
}

const late = Symbol("late");

/**
 * One connection to one broker. Every request has a deadline; one that is missed cuts the connection, so that nothing
 * ever waits on a broker that has gone silent. A link that failed stays closed: its owner opens another.
 */
export class Link {
  readonly address: BrokerAddress;
  readonly #settings: LinkSettings;
  readonly #counts: LinkCounts;
  readonly #broker: KafkaBroker;
  readonly #connection: KafkaConnection;
  #isOpen = true;

  private constructor(address: BrokerAddress, settings: LinkSettings, counts: LinkCounts) {
    this.address = address;
    this.#settings = settings;
    this.#counts = counts;
    ({ broker: this.#broker, connection: this.#connection } = openConnection(address, settings, settings.log));
  }

  /**
   * Connects, logs in, and learns what the broker can. Rejects with a LinkFailure, or with `store_unsuitable` where the
   * broker is too old or refuses the credentials.
   */
  static async open(address: BrokerAddress, settings: LinkSettings, counts: LinkCounts): Promise<Link> {
    const link = new Link(address, settings, counts);
    try {
      await link.#inTime(link.#broker.connect(), settings.connectMs);
    } catch (error) {
      link.close();
      throw connectError(error, address);
    }
    link.#checkVersions();
    return link;
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#connection.isConnected();
  }

  /** The broker takes produces that name the topic by its id. */
  get canProduceById(): boolean {
    return (this.#broker.versions?.[0]?.maxVersion ?? 0) >= produceByIdVersion;
  }

  /** Sends one of our own requests. Rejects with a LinkFailure. */
  send<T>(request: KafkaRequest<T>, ms = this.#settings.requestMs): Promise<T> {
    return this.#run(() => this.#connection.send(request), ms);
  }

  /** Sends a request that kafkajs has. Rejects with a LinkFailure or a KafkaRefusal. */
  call<T>(request: (broker: KafkaBroker) => Promise<T>, ms = this.#settings.requestMs): Promise<T> {
    return this.#run(() => request(this.#broker), ms);
  }

  close(): void {
    this.#cut(new LinkFailure("lost", "the connection was closed"));
  }

  async #run<T>(send: () => Promise<T>, ms: number): Promise<T> {
    if (!this.isOpen) throw new LinkFailure("connect", `not connected to ${textOfAddress(this.address)}`);
    // A broker that enforces a quota says for how long; kafkajs holds the request back until then.
    const heldBackMs = Math.max(0, this.#connection.requestQueue.throttledUntil - Date.now());
    try {
      return await this.#inTime(send(), ms + heldBackMs);
    } catch (error) {
      const refused = refusedCode(error);
      if (refused !== null) throw new KafkaRefusal(refused);
      const failure = error instanceof LinkFailure ? error : new LinkFailure("lost", textOf(error), error);
      if (failure.why === "late") this.#counts.late += 1;
      else if (this.#isOpen) this.#counts.lost += 1;
      this.#cut(failure);
      throw failure;
    }
  }

  async #inTime<T>(work: Promise<T>, ms: number): Promise<T> {
    const timer = new AbortController();
    try {
      const first = await Promise.race([work, this.#settings.clock.sleep(ms, timer.signal).then(() => late)]);
      if (first !== late) return first as T;
    } finally {
      timer.abort();
    }
    // Whatever comes of it now, nobody waits for it.
    work.catch(() => {});
    throw new LinkFailure("late", `no answer from ${textOfAddress(this.address)} within ${ms} ms`);
  }

  #cut(reason: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // kafkajs waits for open requests before it closes; there must be none, and the other side may never answer.
    this.#connection.rejectRequests(reason);
    this.#connection.disconnect().catch(() => {});
    this.#connection.socket?.destroy();
  }

  #checkVersions(): void {
    const { versions } = this.#broker;
    const missing = neededVersions.find(({ api, version }) => {
      const range = versions?.[api.key];
      return range === undefined || range.minVersion > version || range.maxVersion < version;
    });
    if (missing === undefined) return;
    this.close();
    const message = `the broker at ${textOfAddress(this.address)} has no ${missing.api.name} in version ${missing.version}: Winnow needs Apache Kafka 4`;
    throw new WinnowError("store_unsuitable", message, { fields: { broker: textOfAddress(this.address) } });
  }
}

function connectError(error: unknown, address: BrokerAddress): Error {
  const broker = textOfAddress(address);
  if (error instanceof Error && error.name === "KafkaJSSASLAuthenticationError") {
    const message = `the broker at ${broker} refuses the credentials: check sasl.mechanism, username and password`;
    return new WinnowError("store_unsuitable", message, { cause: error, fields: { broker } });
  }
  return new LinkFailure("connect", `no connection to ${broker}: ${textOf(error)}`, error);
}

/** The broker's error code inside kafkajs' error; null where the broker did not answer. */
function refusedCode(error: unknown): number | null {
  const { code, type, partitions } = error as {
    code?: unknown;
    type?: unknown;
    partitions?: readonly { readonly error?: { readonly code?: unknown } | null }[];
  };
  if (typeof type === "string" && typeof code === "number") return code;
  const inner = partitions?.find((one) => one.error !== undefined && one.error !== null)?.error?.code;
  return typeof inner === "number" ? inner : null;
}

export function textOfAddress({ host, port }: BrokerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
