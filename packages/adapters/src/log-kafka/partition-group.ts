import type { Logger, WinnowError } from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import { assignPartitions, type Claim } from "./assignment.ts";
import { Cluster } from "./cluster.ts";
import { code, isPassing, isRefusal, LinkFailure, lastingRefusal, textOf } from "./failures.ts";
import type { BrokerAddress, JoinedGroup } from "./kafkajs.ts";
import { Link } from "./link.ts";
import { type KafkaConnectionOptions, requestMsDefault, retryMsMax, retryMsMin } from "./options.ts";
import { addressesOf, linkSettings } from "./settings.ts";

export interface PartitionGroupOptions extends KafkaConnectionOptions {
  /** Members with this id share the partitions: one group per stage. */
  readonly groupId: string;
  readonly partitions: number;
  /** These are ours from now on. Must not throw. */
  readonly onAssigned: (partitions: readonly number[]) => void;
  /** These are ours no more; resolves once they are let go of. A next owner waits for that, but not for ever. */
  readonly onRevoked: (partitions: readonly number[]) => Promise<void>;
  /** `log_refused` while the brokers do not let us into the group, null when they do again. */
  readonly onRefused?: (error: WinnowError | null) => void;
  /** Without a sign of life for this long a member is out; 10 s unless given. Kafka takes 6 s to 30 min. */
  readonly sessionMs?: number;
  readonly heartbeatMs?: number;
  /** How long a change of members waits for those who let go; 30 s unless given. */
  readonly rebalanceMs?: number;
}

/** Which partitions this process owns. Ownership is a hint: what is written is fenced by the store's tokens. */
export interface PartitionGroup {
  readonly owned: readonly number[];
  /** Lets go of all partitions and leaves, so that others need not wait for the session to end. */
  close(): Promise<void>;
}

/** Nothing that decodes consumers' metadata should try to read ours. */
const protocolType = "winnow";
const protocolName = "winnow-sticky-1";

/** Joins a group and stays in it until closed, through any trouble. */
export function joinPartitionGroup(options: PartitionGroupOptions): PartitionGroup {
  const member = new Member(options);
  member.start();
  return member;
}

class Member implements PartitionGroup {
  readonly #options: PartitionGroupOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #cluster: Cluster;
  readonly #times: { readonly session: number; readonly heartbeat: number; readonly rebalance: number };
  readonly #closing = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #owned: readonly number[] = [];
  #memberId = "";
  #generation = -1;
  #link: Link | null = null;
  #coordinator: BrokerAddress | null = null;
  /** Monotonic time after which the group has given our partitions to others. */
  #ownUntil = 0;
  #mustJoin = true;
  #isWell = true;
  #isRefused = false;
  /** Settles once everything that was taken away is let go of. */
  #revoking: Promise<void> = Promise.resolve();

  constructor(options: PartitionGroupOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log.child({ group: options.groupId });
    this.#cluster = new Cluster(addressesOf(options.brokers), [], linkSettings(options));
    const session = options.sessionMs ?? 10_000;
    this.#times = {
      session,
      heartbeat: options.heartbeatMs ?? Math.min(1_000, session / 6),
      rebalance: options.rebalanceMs ?? 30_000,
    };
  }

  get owned(): readonly number[] {
    return this.#owned;
  }

  start(): void {
    this.#running = Promise.all([this.#run(), this.#watch()]);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#revoke(this.#owned);
    this.#link?.close();
    await this.#running;
    await this.#leave();
    this.#cluster.close();
  }

  async #run(): Promise<void> {
    let pauseMs = retryMsMin;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#takePart();
        pauseMs = retryMsMin;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        await this.#failed(error);
        await this.#clock.sleep(pauseMs, this.#closing.signal);
        pauseMs = Math.min(pauseMs * 2, retryMsMax);
      }
    }
  }

  /** One generation: join, learn what is ours, stay until the members change. */
  async #takePart(): Promise<void> {
    const link = await this.#linkToCoordinator();
    this.#ownUntil = this.#clock.monotonic() + this.#times.rebalance + this.#times.session;
    const joined = await this.#join(link);
    const mine = await this.#sync(link, joined);
    this.#alive();
    const lost = this.#owned.filter((partition) => !mine.includes(partition));
    const gained = mine.filter((partition) => !this.#owned.includes(partition));
    this.#mustJoin = false;
    this.#generation = joined.generationId;
    if (gained.length > 0) {
      // One of them may be on its way out still.
      await this.#revoking;
      this.#owned = [...this.#owned, ...gained];
      this.#options.onAssigned(gained);
    }
    if (lost.length === 0) return this.#stay(link, () => false);
    const letGo = { done: false };
    const revoked = this.#revoke(lost).then(() => (letGo.done = true));
    await this.#stay(link, () => letGo.done);
    await revoked;
  }

  async #join(link: Link): Promise<JoinedGroup> {
    const { groupId, partitions } = this.#options;
    const about = { partitions, generation: this.#generation, owned: this.#owned };
    const joined = await link.call(
      (broker) =>
        broker.joinGroup({
          groupId,
          memberId: this.#memberId,
          sessionTimeout: this.#times.session,
          rebalanceTimeout: this.#times.rebalance,
          protocolType,
          groupProtocols: [{ name: protocolName, metadata: jsonBytes(about) }],
        }),
      this.#times.rebalance + this.#requestMs,
    );
    this.#memberId = joined.memberId;
    return joined;
  }

  /** Tells the group who gets what, where we lead it, and hears what we get. */
  async #sync(link: Link, { generationId, leaderId, memberId, members }: JoinedGroup): Promise<readonly number[]> {
    const claims = members.map((member) => claimOf(member.memberId, member.memberMetadata));
    const shares =
      leaderId === memberId ? assignPartitions(this.#options.partitions, claims) : new Map<string, readonly number[]>();
    const groupAssignment = [...shares].map(([id, partitions]) => ({
      memberId: id,
      memberAssignment: jsonBytes({ partitions }),
    }));
    const { groupId } = this.#options;
    const answer = await link.call((broker) => broker.syncGroup({ groupId, generationId, memberId, groupAssignment }));
    const text = answer.memberAssignment?.toString() ?? "";
    return text === "" ? [] : (JSON.parse(text) as { partitions: number[] }).partitions;
  }

  /** Shows signs of life until the members change, `isDone` or the group is to be joined again. */
  async #stay(link: Link, isDone: () => boolean): Promise<void> {
    const { groupId } = this.#options;
    while (!this.#closing.signal.aborted && !this.#mustJoin && !isDone()) {
      try {
        const beat = { groupId, groupGenerationId: this.#generation, memberId: this.#memberId };
        await link.call((broker) => broker.heartbeat(beat));
        this.#alive();
      } catch (error) {
        if (isRefusal(error, code.rebalanceInProgress)) return;
        throw error;
      }
      await this.#clock.sleep(this.#times.heartbeat, this.#closing.signal);
    }
  }

  #alive(): void {
    this.#ownUntil = this.#clock.monotonic() + this.#times.session;
    if (this.#isRefused) this.#options.onRefused?.(null);
    this.#isRefused = false;
    if (this.#isWell) return;
    this.#isWell = true;
    this.#log.info("a member of the group again");
  }

  /** Lets partitions go when the group must have given them to others, even while a broker keeps silent. */
  async #watch(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#clock.sleep(this.#times.heartbeat, this.#closing.signal);
      if (this.#owned.length === 0 || this.#clock.monotonic() < this.#ownUntil) continue;
      this.#mustJoin = true;
      await this.#revoke(this.#owned);
    }
  }

  #revoke(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return this.#revoking;
    this.#owned = this.#owned.filter((partition) => !partitions.includes(partition));
    this.#revoking = Promise.all([this.#revoking, this.#letGo(partitions)]).then(() => {});
    return this.#revoking;
  }

  async #letGo(partitions: readonly number[]): Promise<void> {
    try {
      await this.#options.onRevoked(partitions);
    } catch (error) {
      // They are let go of either way; the next owner starts from the last commit.
      this.#log.warn("partitions were not let go of in order", { partitions, reason: textOf(error) });
    }
  }

  /** Another try begins after this. */
  async #failed(error: unknown): Promise<void> {
    if (isRefusal(error, code.rebalanceInProgress)) return;
    if (isRefusal(error, code.notCoordinator, code.coordinatorNotAvailable) || error instanceof LinkFailure) {
      this.#link?.close();
      this.#coordinator = null;
    }
    if (isRefusal(error, code.unknownMember)) this.#memberId = "";
    // The group went on without us: what we owned is others'.
    const isOut = isRefusal(error, code.unknownMember, code.illegalGeneration);
    if (isOut) await this.#revoke(this.#owned);
    this.#tell(error, isOut);
  }

  #tell(error: unknown, isOut: boolean): void {
    const { groupId } = this.#options;
    const refusal = isOut ? null : lastingRefusal(error, `to let us into the group ${groupId}`, { group: groupId });
    const wasKnown = !this.#isWell && (refusal === null || this.#isRefused);
    this.#isWell = false;
    if (refusal !== null) {
      this.#isRefused = true;
      this.#options.onRefused?.(refusal);
    }
    if (wasKnown) return;
    const message = "not a member of the group; trying again until it works";
    const isBad = refusal !== null || (!isOut && !isPassing(error));
    this.#log[isBad ? "error" : "warn"](message, { reason: textOf(refusal ?? error) });
  }

  async #linkToCoordinator(): Promise<Link> {
    if (this.#link?.isOpen === true && this.#coordinator !== null) return this.#link;
    this.#link?.close();
    this.#coordinator ??= await this.#findCoordinator();
    const link = await Link.open(this.#coordinator, this.#cluster.settings, this.#cluster.counts);
    if (this.#closing.signal.aborted) {
      link.close();
      throw new LinkFailure("connect", "closed meanwhile");
    }
    this.#link = link;
    return link;
  }

  async #findCoordinator(): Promise<BrokerAddress> {
    const { groupId } = this.#options;
    const { coordinator } = await this.#cluster.anywhere((link) =>
      link.call((broker) => broker.findGroupCoordinator({ groupId, coordinatorType: 0 })),
    );
    return { host: coordinator.host, port: coordinator.port };
  }

  /** Best effort: without it the session ends by itself. */
  async #leave(): Promise<void> {
    if (this.#memberId === "" || this.#coordinator === null) return;
    const { groupId } = this.#options;
    const memberId = this.#memberId;
    try {
      // A link of its own: a join may still keep the other one busy at the broker.
      const link = await Link.open(this.#coordinator, this.#cluster.settings, this.#cluster.counts);
      await link.call((broker) => broker.leaveGroup({ groupId, memberId })).finally(() => link.close());
    } catch (error) {
      this.#log.warn("could not leave the group; its session will end by itself", { reason: textOf(error) });
    }
  }

  get #requestMs(): number {
    return this.#options.requestMs ?? requestMsDefault;
  }
}

function jsonBytes(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function claimOf(memberId: string, metadata: Buffer): Claim {
  const { generation, owned } = JSON.parse(metadata.toString()) as Omit<Claim, "memberId">;
  return { memberId, generation, owned };
}
