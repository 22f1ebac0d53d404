import { WinnowError } from "@winnow/platform";
import { code, KafkaRefusal, LinkFailure } from "./failures.ts";
import type { BrokerAddress } from "./kafkajs.ts";
import { Link, type LinkCounts, type LinkSettings, textOfAddress } from "./link.ts";
import { type Metadata, type MetadataTopic, metadataRequest } from "./requests.ts";

/** What the cluster looked like when it was last asked. */
interface Snapshot {
  readonly brokers: ReadonlyMap<number, BrokerAddress>;
  readonly topics: ReadonlyMap<string, MetadataTopic>;
}

/** Where a partition is served. */
export interface Place {
  readonly address: BrokerAddress;
  readonly epoch: number;
  readonly topicId: string;
  readonly snapshot: unknown;
}

const sayAgainMs = 10_000;

/** Knows which broker leads which partition, and whether topics are still those that they were at the start. */
export class Cluster {
  readonly settings: LinkSettings;
  readonly counts: LinkCounts = { late: 0, lost: 0 };
  readonly #seeds: readonly BrokerAddress[];
  readonly #names: readonly string[];
  readonly #pinned = new Map<string, string>();
  #link: Link | null = null;
  #snapshot: Snapshot | null = null;
  #asking: Promise<Snapshot> | null = null;
  #turn = 0;
  #isClosed = false;
  #isWell = true;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(seeds: readonly BrokerAddress[], names: readonly string[], settings: LinkSettings) {
    this.#seeds = seeds;
    this.#names = names;
    this.settings = settings;
  }

  /** Asks the cluster. Rejects with a LinkFailure when no broker answers, or with `store_unsuitable`. */
  topics(): Promise<readonly MetadataTopic[]> {
    return this.#ask().then(({ topics }) => [...topics.values()]);
  }

  /** From now on these ids are the topics' only ones. */
  pin(topics: readonly MetadataTopic[]): void {
    for (const { name, id } of topics) this.#pinned.set(name, id);
  }

  /**
   * The leader of a partition. Rejects with a LinkFailure or a KafkaRefusal that may pass, or with `log_replaced` where
   * the topic is another one than at the start.
   */
  async place(topic: string, partition: number): Promise<Place> {
    const snapshot = this.#snapshot ?? (await this.#ask());
    const found = snapshot.topics.get(topic);
    if (found === undefined || found.errorCode !== code.none) {
      this.suspect(snapshot);
      throw new KafkaRefusal(found?.errorCode ?? code.unknownTopicOrPartition, `topic ${topic}`);
    }
    this.#checkReplaced(found);
    const at = found.partitions.find((one) => one.partition === partition);
    const address = at === undefined ? undefined : snapshot.brokers.get(at.leader);
    if (at === undefined || address === undefined) {
      this.suspect(snapshot);
      throw new KafkaRefusal(code.leaderNotAvailable, `partition ${partition} of ${topic} has no leader`);
    }
    return { address, epoch: at.epoch, topicId: found.id, snapshot };
  }

  /** What is known may be old: the next question goes to the cluster. */
  suspect(snapshot: unknown): void {
    if (snapshot !== undefined && this.#snapshot === snapshot) this.#snapshot = null;
  }

  /** Runs a request on a link to any broker. Rejects with the last broker's LinkFailure. */
  async anywhere<T>(request: (link: Link) => Promise<T>): Promise<T> {
    const known = [...(this.#snapshot?.brokers.values() ?? [])];
    const candidates = [...new Map([...known, ...this.#seeds].map((one) => [textOfAddress(one), one])).values()];
    let failure: unknown = new LinkFailure("connect", "no brokers are known");
    for (let tries = 0; tries <= candidates.length; tries += 1) {
      try {
        return await request(await this.#anyLink(candidates));
      } catch (error) {
        if (!(error instanceof LinkFailure)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** False while the last thing that was asked of the cluster found no answer. */
  get isWell(): boolean {
    return this.#isWell;
  }

  /** A request got an answer, or none; said once per outage and at most every ten seconds. */
  heard(failure: LinkFailure | null): void {
    const isWell = failure === null;
    if (isWell === this.#isWell || this.#isClosed) return;
    this.#isWell = isWell;
    const now = this.settings.clock.monotonic();
    if (!isWell && now - this.#saidAt < sayAgainMs) return;
    this.#saidAt = now;
    if (failure === null) this.settings.log.info("Kafka answers again");
    else this.settings.log.warn("Kafka does not answer; trying again until it does", { reason: failure.message });
  }

  close(): void {
    this.#isClosed = true;
    this.#link?.close();
    this.#link = null;
  }

  /** The open link, or one to the next broker in turn. */
  async #anyLink(candidates: readonly BrokerAddress[]): Promise<Link> {
    if (this.#link?.isOpen === true) return this.#link;
    const address = candidates[this.#turn % candidates.length];
    this.#turn += 1;
    if (address === undefined) throw new LinkFailure("connect", "no brokers are known");
    const link = await Link.open(address, this.settings, this.counts);
    if (this.#isClosed) {
      link.close();
      throw new LinkFailure("connect", "closed meanwhile");
    }
    // Another question may have opened one at the same time.
    this.#link?.close();
    this.#link = link;
    return link;
  }

  #ask(): Promise<Snapshot> {
    this.#asking ??= this.anywhere((link) => link.send(metadataRequest(this.#names)))
      .then((metadata) => (this.#snapshot = snapshotOf(metadata)))
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }

  #checkReplaced({ name, id }: MetadataTopic): void {
    const pinned = this.#pinned.get(name);
    if (pinned === undefined || pinned === id) return;
    const message = `topic ${name} was deleted and made again: its id was ${pinned} and is ${id}`;
    throw new WinnowError("log_replaced", message, { fields: { topic: name, was: pinned, is: id } });
  }
}

function snapshotOf({ brokers, topics }: Metadata): Snapshot {
  return {
    brokers: new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])),
    topics: new Map(topics.map((topic) => [topic.name, topic])),
  };
}
