import type { Cluster, Place } from "./cluster.ts";
import { KafkaRefusal, LinkFailure } from "./failures.ts";
import { Link, textOfAddress } from "./link.ts";

/**
 * A connection of its own to the leader of one partition, following it from broker to broker. Brokers answer the
 * requests of one connection one after the other, so a produce, a read and a long poll must never share one.
 */
export class Lane {
  readonly topic: string;
  readonly partition: number;
  readonly #cluster: Cluster;
  #link: Link | null = null;
  #opening: Promise<Link> | null = null;
  #isClosed = false;

  constructor(cluster: Cluster, at: { readonly topic: string; readonly partition: number }) {
    this.#cluster = cluster;
    this.topic = at.topic;
    this.partition = at.partition;
  }

  /**
   * Tries once. Rejects with a LinkFailure or a KafkaRefusal; those that tell of a changed cluster make the next try ask
   * it anew. Rejects with `log_replaced` where the topic is another one.
   */
  async attempt<T>(request: (link: Link, place: Place) => Promise<T>): Promise<T> {
    let place: Place | undefined;
    try {
      place = await this.#cluster.place(this.topic, this.partition);
      const answer = await request(await this.#linkTo(place), place);
      this.#cluster.heard(null);
      return answer;
    } catch (error) {
      const isStale = error instanceof LinkFailure || (error instanceof KafkaRefusal && error.isStale);
      if (isStale) this.#cluster.suspect(place?.snapshot);
      if (error instanceof LinkFailure && !this.#isClosed) this.#cluster.heard(error);
      throw error;
    }
  }

  /** Returns what tells whether the connection of now is still open. */
  watch(): () => boolean {
    const link = this.#link;
    return () => link !== null && link === this.#link && link.isOpen;
  }

  /** Cuts the connection: a request under way fails. */
  close(): void {
    this.#isClosed = true;
    this.#link?.close();
    this.#link = null;
  }

  /** Requests that come at the same time share one connection: another would be forgotten, and never closed. */
  async #linkTo(place: Place): Promise<Link> {
    const wanted = textOfAddress(place.address);
    while (this.#link?.isOpen !== true || textOfAddress(this.#link.address) !== wanted) {
      this.#opening ??= this.#open(place).finally(() => {
        this.#opening = null;
      });
      await this.#opening;
    }
    return this.#link;
  }

  async #open(place: Place): Promise<Link> {
    this.#link?.close();
    this.#link = null;
    const link = await Link.open(place.address, this.#cluster.settings, this.#cluster.counts);
    if (this.#isClosed) {
      link.close();
      throw new LinkFailure("connect", "closed meanwhile");
    }
    this.#link = link;
    return link;
  }
}
