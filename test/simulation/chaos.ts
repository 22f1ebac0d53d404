import { calmVendor, newReceiverDisk, randomFaults, type VendorMoods, type WindowSnapshot } from "@winnow/testkit";
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
  readonly moods: VendorMoods;
}

export const rough: Roughness = {
  faultRate: 0.012,
  worldFaults: 9,
  cutAfterCrash: 0.05,
  moods: { lateCommit: 0.12, cutReply: 0.12, slowConnect: 0.06, closes: 0.15 },
};

const cutAfterCrashMs = [300, 4_000] as const;
const zombieSleepsMs = [200, 6_000] as const;
const zombieLivesMs = [500, 5_000] as const;

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
    operations.plan = randomFaults(random.fork(), roughness.faultRate);
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
      () => this.#rewind(),
      () => this.#rewind(),
      () => this.#empty(),
      () => this.#restoreReceiver(),
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

  #rebalance(): void {
    const { random, counts, owners } = this.#cluster;
    const kind = random.pick(["correlator", "router"] as const);
    const roles = this.#cluster.rolesOf(kind);
    const partition = random.between(0, partitions - 1);
    const before = roles[owners[kind][partition] ?? 0];
    const after = roles[random.between(0, roles.length - 1)];
    if (before === undefined || after === undefined || before === after) return;
    counts.add("rebalance");
    owners[kind][partition] = after.index;
    this.#cluster.disown(before, partition);
    this.#cluster.own(after, partition);
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
