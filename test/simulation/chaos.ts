import {
  calmVendor,
  type FaultPlan,
  newReceiverDisk,
  type Random,
  randomFaults,
  type VendorMoods,
  type WindowSnapshot,
} from "@winnow/testkit";
import type { Cluster, Role } from "./cluster.ts";
import { partitions, troubleMs } from "./scenario.ts";
import type { Outside } from "./senders.ts";

/** How rough a random run is. */
export interface Roughness {
  /** Share of operations that something befalls. */
  readonly faultRate: number;
  /** Faults of the world between operations. */
  readonly worldFaults: number;
  /** Probability that the power fails soon after a process crashed. */
  readonly cutAfterCrash: number;
  /** Share of checkpoints that are written long after their saver heard of a time-out. */
  readonly lateSaves: number;
  readonly moods: VendorMoods;
}

export const rough: Roughness = {
  faultRate: 0.012,
  worldFaults: 9,
  cutAfterCrash: 0.05,
  lateSaves: 0,
  moods: { lateCommit: 0.12, cutReply: 0.12, slowConnect: 0.06, closes: 0.15 },
};

const cutAfterCrashMs = [300, 4_000] as const;
const zombieSleepsMs = [200, 6_000] as const;
const setBackMs = [100, 30_000] as const;
const handOverMs = 8_000;
const zombieLivesMs = [500, 5_000] as const;

function planOf(random: Random, { faultRate, lateSaves }: Roughness): FaultPlan {
  const plan = randomFaults(random, faultRate);
  if (lateSaves === 0) return plan;
  return {
    next: (operation) =>
      operation.name === "checkpoints.save" && random.chance(lateSaves) ? "lands_late" : plan.next(operation),
  };
}

interface Move {
  readonly kind: "correlator" | "router";
  readonly before: Role;
  readonly after: Role;
  readonly partition: number;
}

/** Faults of the world at random moments, until the trouble is over. */
export class Chaos {
  readonly #cluster: Cluster;
  readonly #outside: Outside;
  readonly #zombies = new Set<{ kill(): void }>();
  readonly #backups: WindowSnapshot[] = [];
  #over = false;

  constructor(cluster: Cluster, outside: Outside) {
    this.#cluster = cluster;
    this.#outside = outside;
  }

  begin(roughness: Roughness): void {
    const { random, time, operations, vendor } = this.#cluster;
    operations.plan = planOf(random.fork(), roughness);
    vendor.moods = roughness.moods;
    operations.onCrash = (process) => {
      this.#cluster.crash(process);
      if (!random.chance(roughness.cutAfterCrash)) return;
      time.after(random.between(...cutAfterCrashMs), () => {
        if (!this.#over) this.#powerCut();
      });
    };
    this.#outside.ackLoss = 0.05;
    for (let n = 0; n < 6; n += 1)
      time.after(random.between(500, troubleMs), () => {
        this.#backups.push(this.#cluster.windows.snapshot());
      });
    const kinds = [
      () => this.#crash(),
      () => this.#powerCut(),
      () => this.#zombie(),
      () => this.#zombie(),
      () => this.#rebalance(),
      () => this.#handOver(),
      () => this.#rewind(),
      () => this.#rewind(),
      () => this.#empty(),
      () => this.#loseCommits(),
      () => this.#restoreReceiver(),
      () => this.#setBack(),
    ] as const;
    for (let n = 0; n < roughness.worldFaults; n += 1) {
      const fault = random.pick(kinds);
      time.after(random.between(1_000, troubleMs), () => {
        if (!this.#over) fault();
      });
    }
  }

  /** All is well from now on: zombies are gone, whoever is dead is started again. */
  end(): void {
    const { operations, vendor, roles } = this.#cluster;
    this.#over = true;
    operations.plan = { next: () => null };
    vendor.moods = calmVendor;
    this.#outside.ackLoss = 0;
    for (const zombie of this.#zombies) zombie.kill();
    for (const role of roles) if (role.process?.alive !== true) this.#cluster.start(role);
  }

  #anyRole(): Role | undefined {
    const { roles, random } = this.#cluster;
    return roles[random.between(0, roles.length - 1)];
  }

  #crash(): void {
    const process = this.#anyRole()?.process ?? null;
    if (process === null) return;
    this.#cluster.counts.add("process_crash");
    this.#cluster.crash(process);
  }

  #powerCut(): void {
    const { counts, roles, random, disk, operations } = this.#cluster;
    counts.add("power_cut");
    operations.trace?.("   ** power cut");
    for (const zombie of this.#zombies) zombie.kill();
    operations.cut();
    for (const role of roles) if (role.process !== null) this.#cluster.crash(role.process);
    disk.cut((unsynced) => random.between(0, unsynced));
    this.#cluster.delivered = {};
    this.#cluster.readySince = this.#cluster.time.now;
  }

  /** A process is taken for dead and replaced, and then goes on for a while. */
  #zombie(): void {
    const { random, time, counts, operations } = this.#cluster;
    const role = this.#anyRole();
    const process = role?.process ?? null;
    if (role === undefined || process === null || role.kind === "receiver") return;
    counts.add("zombie");
    operations.trace?.(`   ** ${process.name} stands still`);
    process.pause();
    this.#zombies.add(process);
    const sleeps = random.between(...zombieSleepsMs);
    time.after(random.between(50, sleeps), () => {
      if (role.process === process && process.alive) this.#cluster.start(role);
    });
    time.after(sleeps, () => {
      operations.trace?.(`   ** ${process.name} goes on as a zombie`);
      process.resume();
    });
    time.after(sleeps + random.between(...zombieLivesMs), () => {
      process.kill();
      this.#zombies.delete(process);
    });
  }

  /** A partition changes its owner, who need not have let go of it. */
  #rebalance(): void {
    const moved = this.#move();
    if (moved === null) return;
    this.#cluster.counts.add("rebalance");
    void this.#cluster.disown(moved.before, moved.partition);
    this.#cluster.own(moved.after, moved.partition);
  }

  /** As a group does it: the next owner waits until the partition is let go of, but not for ever. */
  #handOver(): void {
    const moved = this.#move();
    if (moved === null) return;
    const { counts, time, owners } = this.#cluster;
    counts.add("hand_over");
    let waits = true;
    const take = (): void => {
      const stillIts = owners[moved.kind][moved.partition] === moved.after.index;
      if (waits && stillIts && !this.#cluster.owns(moved.after, moved.partition))
        this.#cluster.own(moved.after, moved.partition);
      waits = false;
    };
    void this.#cluster.disown(moved.before, moved.partition).then(take);
    time.after(handOverMs, take);
  }

  /** Picks a partition and another owner for it, from now on. */
  #move(): Move | null {
    const { random, owners } = this.#cluster;
    const kind = random.pick(["correlator", "router"] as const);
    const roles = this.#cluster.rolesOf(kind);
    const partition = random.between(0, partitions - 1);
    const before = roles[owners[kind][partition] ?? 0];
    const after = roles[random.between(0, roles.length - 1)];
    if (before === undefined || after === undefined || before === after) return null;
    owners[kind][partition] = after.index;
    return { kind, before, after, partition };
  }

  /** The window store loses what it was told last, as one that syncs once a second does in a crash. */
  #loseCommits(): void {
    const { random, counts, windows, time, operations } = this.#cluster;
    const before = windows.snapshot();
    time.after(random.between(50, 1_000), () => {
      if (this.#over) return;
      counts.add("windows_lost_commits");
      operations.trace?.("   ** the window store loses its last commits");
      windows.restore(before);
    });
  }

  #rewind(): void {
    const { random, counts, windows, operations } = this.#cluster;
    const backup = this.#backups[random.between(0, this.#backups.length - 1)];
    if (backup === undefined) return;
    counts.add("windows_rewound");
    operations.trace?.("   ** the window store is rewound");
    const stage = random.pick(["A", "B"] as const);
    const one = random.chance(0.4) ? { stage, partition: random.between(0, partitions - 1) } : undefined;
    windows.restore(backup, one);
  }

  /** Everything in the window store is gone; sometimes a backup is put back later. */
  #empty(): void {
    const { random, counts, windows, time, operations } = this.#cluster;
    counts.add("windows_emptied");
    operations.trace?.("   ** the window store is emptied");
    windows.restore(null);
    const backup = this.#backups[random.between(0, this.#backups.length - 1)];
    if (backup === undefined || random.chance(0.4)) return;
    time.after(random.between(100, 4_000), () => {
      if (this.#over) return;
      counts.add("windows_restored");
      operations.trace?.("   ** the window store is restored");
      windows.restore(backup);
    });
  }

  /** The clock of the log's server is set back. One process and its log have a clock that never goes back. */
  #setBack(): void {
    const { random, counts, disk, options, operations } = this.#cluster;
    if (!options.scaleOut) return;
    counts.add("log_set_back");
    const ms = random.between(...setBackMs);
    operations.trace?.(`   ** the log's clock is set back by ${ms} ms`);
    disk.skewMs -= ms;
  }

  /** A receiver comes back from a backup: what it counted since is forgotten, so it takes a new id. */
  #restoreReceiver(): void {
    const { random, counts, receiverDisks, options, time } = this.#cluster;
    const role = this.#cluster.rolesOf("receiver")[random.between(0, receiverDisks.length - 1)];
    const own = receiverDisks[role?.index ?? 0];
    // What is only in its own log, and not shipped, would be lost with it.
    const unshipped = own?.spool.some((spool, at) => spool.length > (own.shipped[at] ?? 0)) === true;
    if (role === undefined || own === undefined || role.process === null || unshipped) return;
    counts.add("receiver_restored");
    this.#cluster.crash(role.process);
    const restored = newReceiverDisk(`${own.receiverId}+${time.now}`, partitions);
    if (options.tampering.receiverKeepsId === true) {
      restored.receiverId = own.receiverId;
      for (const [partition, spool] of own.spool.entries()) {
        restored.spool[partition] = spool.slice(0, Math.floor(spool.length / 2));
        restored.shipped[partition] = restored.spool[partition].length;
      }
    }
    receiverDisks[role.index] = restored;
  }
}
