import { randomBytes } from "node:crypto";
import type { Clock } from "@winnow/ports";
import { ownServers, sharedServers, skipWithout } from "@winnow/test/real-servers/shared.ts";
import t, { type Test } from "tap";
import { joinPartitionGroup, type PartitionGroup } from "../../src/log-kafka/index.ts";
import { HeardLog, systemClock } from "./support.ts";

t.setTimeout(300_000);

const partitions = 6;

/** Who owns what, and whether ever two owned one at a time. */
class Board {
  readonly owners = new Map<number, string>();
  readonly doubles: string[] = [];
  readonly #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  give(who: string, given: readonly number[]): void {
    for (const partition of given) {
      const before = this.owners.get(partition);
      if (before !== undefined) this.doubles.push(`${partition}: ${before}, ${who}`);
      this.owners.set(partition, who);
    }
    this.#look();
  }

  take(who: string, taken: readonly number[]): void {
    for (const partition of taken) if (this.owners.get(partition) === who) this.owners.delete(partition);
    this.#look();
  }

  countOf(who: string): number {
    return [...this.owners.values()].filter((owner) => owner === who).length;
  }

  /** Resolves once each of these owns so many. */
  async until(shares: Readonly<Record<string, number>>): Promise<void> {
    const holds = () => Object.entries(shares).every(([who, count]) => this.countOf(who) === count);
    if (holds()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ holds, resolve });
    await promise;
  }

  #look(): void {
    for (const { holds, resolve } of this.#waiting) if (holds()) resolve();
  }
}

/** Tells how often somebody rested: members rest after every sign of life. */
class CountingClock implements Clock {
  readonly now = systemClock.now;
  readonly monotonic = systemClock.monotonic;
  #rests = 0;
  #awaited: { readonly rests: number; readonly reached: () => void } | null = null;

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await systemClock.sleep(ms, signal);
    this.#rests += 1;
    if (this.#awaited !== null && this.#rests >= this.#awaited.rests) this.#awaited.reached();
  }

  async reach(rests: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaited = { rests: this.#rests + rests, reached: resolve };
    await promise;
  }
}

interface Joined {
  readonly group: PartitionGroup;
  readonly log: HeardLog;
}

function joiner(t: Test, brokers: readonly string[], board: Board) {
  const groupId = `test-${randomBytes(6).toString("hex")}`;
  return (who: string, onRevoked: () => Promise<void> = async () => {}, clock: Clock = systemClock): Joined => {
    const log = new HeardLog();
    const group = joinPartitionGroup({
      brokers,
      groupId,
      partitions,
      clock,
      log,
      sessionMs: 6_000,
      heartbeatMs: 200,
      requestMs: 3_000,
      onAssigned: (given) => {
        board.give(who, given);
      },
      onRevoked: async (taken) => {
        await onRevoked();
        board.take(who, taken);
      },
    });
    t.teardown(() => group.close());
    return { group, log };
  };
}

const servers = await sharedServers(t, ["kafka"]);
const brokers = servers.kafka?.brokers ?? [];

await t.test(
  "members share the partitions, one that joins or leaves moves only its part, and none has two owners",
  { skip: skipWithout(servers, "kafka") },
  async (t) => {
    const board = new Board();
    const join = joiner(t, brokers, board);
    const first = join("first");
    await board.until({ first: 6 });
    const second = join("second");
    await board.until({ first: 3, second: 3 });
    const firsts = first.group.owned;
    const third = join("third");
    await board.until({ first: 2, second: 2, third: 2 });
    t.ok(
      first.group.owned.every((partition) => firsts.includes(partition)),
      "what stayed was not touched",
    );
    await second.group.close();
    await board.until({ first: 3, third: 3 });
    t.strictSame(second.group.owned, []);
    await first.group.close();
    await board.until({ third: 6 });
    t.strictSame(board.doubles, []);
    t.strictSame(third.log.lines, [], "nothing to complain of");
  },
);

await t.test(
  "a partition is not given on before its owner has let go of it",
  { skip: skipWithout(servers, "kafka") },
  async (t) => {
    const board = new Board();
    const join = joiner(t, brokers, board);
    const asked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    join("slow", async () => {
      asked.resolve();
      await release.promise;
    });
    await board.until({ slow: 6 });
    const beats = new CountingClock();
    join("next", async () => {}, beats);
    await asked.promise;
    // Several signs of life of the one that waits: time enough for what should not happen.
    await beats.reach(24);
    t.equal(board.countOf("next"), 0);
    t.equal(board.countOf("slow"), 6);
    release.resolve();
    await board.until({ slow: 3, next: 3 });
    t.strictSame(board.doubles, []);
  },
);

await t.test("a member that a silent broker may have put out lets go, and comes back", async (t) => {
  const own = await ownServers(t, ["kafka"]);
  const { controls } = own.kafka ?? {};
  if (controls === undefined) {
    t.pass("a broker of our own", { skip: skipWithout(own, "kafka") || "no controls" });
    return;
  }
  const board = new Board();
  const join = joiner(t, own.kafka?.brokers ?? [], board);
  const { log } = join("alone");
  await board.until({ alone: 6 });
  await controls.pause();
  await board.until({ alone: 0 });
  t.match(log.lines, [{ level: "warn", message: "not a member of the group; trying again until it works" }]);
  await controls.resume();
  await board.until({ alone: 6 });
  await controls.kill9();
  await controls.start();
  join("other");
  await board.until({ alone: 3, other: 3 });
  t.strictSame(board.doubles, []);
});
