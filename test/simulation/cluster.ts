import type { CompiledRuleSet, Stage } from "@winnow/core";
import { WinnowError } from "@winnow/platform";
import type { Ids, WindowStore } from "@winnow/ports";
import {
  type CheckpointSettings,
  DeliveryWorker,
  type LoopSettings,
  PartitionLoop,
  type PartitionSession,
  RecordSession,
  type RuleBook,
  type StageDependencies,
  StageSession,
} from "@winnow/runtime";
import {
  CheckpointTables,
  FaultCounts,
  FaultyCheckpointStore,
  FaultyEventLog,
  FaultyIncidentStore,
  FaultyWindowStore,
  IncidentTables,
  type LogAccess,
  LogDisk,
  newReceiverDisk,
  Operations,
  Random,
  type ReceiverDisk,
  ReceiverModel,
  soundCheckpoints,
  soundDisk,
  soundWindows,
  Vendor,
  VirtualProcess,
  VirtualTime,
  WindowTables,
} from "@winnow/testkit";
import { wrapped } from "./breaks/wrapped.ts";
import { initialRules, partitions, ruleSets, sha256, startMs } from "./scenario.ts";
import { stageA, stageB } from "./stages.ts";
import type { Tampering } from "./tampering.ts";

export interface ClusterOptions {
  readonly seed: number;
  readonly correlators: number;
  readonly routers: number;
  readonly receivers: number;
  /**
   * Receivers keep a log of their own and ship it to a shared one, whose records tell their age; checkpoints are kept,
   * and trimmed is what they cover; machines' clocks differ. False: as in the embedded mode, on one machine.
   */
  readonly scaleOut: boolean;
  /** A starting router takes itself for the only one, as in the embedded mode. */
  readonly routerAlone: boolean;
  readonly tampering: Tampering;
  /** Tables that a test watches. */
  readonly windows?: WindowTables;
}

export type RoleKind = "correlator" | "router" | "receiver" | "office";

/** A place in the world that a process fills; after a crash another process does. */
export interface Role {
  readonly kind: RoleKind;
  readonly index: number;
  process: VirtualProcess | null;
  receiver: ReceiverModel | null;
  /** How far its machine's clock runs ahead, ms. */
  readonly skewMs: number;
  /** The loops that run partitions: `A.0` and so on. */
  readonly loops: Map<string, RunningLoop>;
}

interface RunningLoop {
  /** Stops it in good order. */
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

const settings: LoopSettings = {
  commitMs: 250,
  commitEvents: 12,
  verifyMs: 6_000,
  readBytes: 1024,
  trimMs: 1_000,
  tickMs: 50,
};
/** So often, and with so little kept, that all ways to a checkpoint are taken. */
const checkpointSettings: CheckpointSettings = { saveMs: 2_500, collectedMax: 10, pauseMs: 400 };
/** Machines' clocks of a cluster: receivers ten minutes off either way, correlators ahead, right, or behind. */
const receiverSkewsMs = [600_000, -600_000] as const;
const correlatorSkewsMs = [300_000, 0, -20_000] as const;
const restartMs = [100, 1_500] as const;
const rejoinMs = 1_000;
/** So few that states are evicted and loaded again all the time. */
const cacheMax = 6;
const destination = { name: "desk", mode: "live", maxCreatesPerMinute: 600, concurrency: 3 } as const;
export const deploymentId = "sim";

/** The processes around the shipped shells, and what they stand on. */
export class Cluster {
  readonly time = new VirtualTime(startMs);
  readonly counts = new FaultCounts();
  readonly random: Random;
  readonly operations: Operations;
  readonly disk: LogDisk;
  readonly windows: WindowTables;
  readonly checkpoints: CheckpointTables;
  readonly incidents = new IncidentTables();
  readonly vendor: Vendor;
  readonly roles: readonly Role[];
  readonly receiverDisks: ReceiverDisk[];
  /** Partitions that stopped and need a person. */
  readonly alarms: WinnowError[] = [];
  /** Errors that are no operational ones: bugs. */
  readonly bugs: unknown[] = [];
  /** Index of the role that owns a partition. */
  readonly owners = {
    correlator: Array.from({ length: partitions }, () => 0),
    router: Array.from({ length: partitions }, () => 0),
  };
  readonly options: ClusterOptions;
  /** When each integration delivered last, as the processes of this machine know. */
  delivered: Record<string, number> = {};
  readySince = startMs;
  #tokens = 0;

  constructor(options: ClusterOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.operations = new Operations(this.time, this.random.fork(), this.counts);
    this.operations.onCrash = (process) => {
      this.crash(process);
    };
    this.disk = new LogDisk(partitions, { ...soundDisk, ...options.tampering.disk });
    this.windows = options.windows ?? new WindowTables({ ...soundWindows, ...options.tampering.windowTables });
    this.checkpoints = new CheckpointTables({ ...soundCheckpoints, ...options.tampering.checkpointTables });
    this.vendor = new Vendor(this.operations, this.random.fork());
    const count = { correlator: options.correlators, router: options.routers, receiver: options.receivers, office: 1 };
    this.roles = (Object.keys(count) as RoleKind[]).flatMap((kind) =>
      Array.from({ length: count[kind] }, (_, index) => ({
        kind,
        index,
        process: null,
        receiver: null,
        skewMs: this.#skewOf(kind, index),
        loops: new Map(),
      })),
    );
    this.receiverDisks = Array.from({ length: options.receivers }, (_, n) =>
      newReceiverDisk(`receiver-${n}`, partitions),
    );
    for (let partition = 0; partition < partitions; partition += 1) {
      this.owners.correlator[partition] = partition % options.correlators;
      this.owners.router[partition] = partition % options.routers;
    }
  }

  #skewOf(kind: RoleKind, index: number): number {
    const skews = kind === "receiver" ? receiverSkewsMs : kind === "correlator" ? correlatorSkewsMs : [0];
    const skew = this.options.scaleOut ? (skews[(index + this.options.seed) % skews.length] ?? 0) : 0;
    if (skew !== 0) this.counts.add("clock_skewed");
    return skew;
  }

  startAll(): void {
    for (const role of this.roles) this.start(role);
  }

  rolesOf(kind: RoleKind): Role[] {
    return this.roles.filter((role) => role.kind === kind);
  }

  /** The process that fills a role now, or null. */
  office(): VirtualProcess | null {
    return this.rolesOf("office")[0]?.process ?? null;
  }

  /** Puts a new process into a role. */
  start(role: Role): VirtualProcess {
    const process = new VirtualProcess(`${role.kind}-${role.index}`, this.time, role.skewMs);
    role.process = process;
    role.receiver = null;
    role.loops.clear();
    switch (role.kind) {
      case "correlator":
        this.#startLoops(role);
        break;
      case "router":
        void this.#startRouter(role, process);
        break;
      case "receiver":
        void this.#startReceiver(role, process);
        break;
      case "office":
    }
    return process;
  }

  /** A process dies; whoever starts services starts its role again a little later. */
  crash(process: VirtualProcess): void {
    process.kill();
    const role = this.roles.find((one) => one.process === process);
    if (role === undefined) return;
    role.process = null;
    role.receiver = null;
    this.time.after(this.random.between(...restartMs), () => {
      if (role.process === null) this.start(role);
    });
  }

  /** The log as a process reaches it. */
  logFor(process: VirtualProcess, how: LogAccess) {
    const log = new FaultyEventLog(this.disk, process, this.operations, { ...how, shared: this.options.scaleOut });
    return this.options.tampering.log?.(log, process) ?? log;
  }

  incidentsFor(process: VirtualProcess) {
    const store = new FaultyIncidentStore(this.incidents, process, this.operations);
    return this.options.tampering.incidents?.(store, process) ?? store;
  }

  /** Lets a process take over or give up partitions of its role. */
  own(role: Role, partition: number): void {
    const process = role.process;
    if (process === null) return;
    if (role.kind === "correlator")
      for (const stage of ["A", "B"] as const) this.#startStage(role, process, stage, partition);
    if (role.kind === "router") this.#startRecord(role, process, partition);
  }

  /** True when a loop runs it in the process that fills the role now. */
  owns(role: Role, partition: number): boolean {
    return ["A", "B", "C"].some((stage) => role.loops.has(`${stage}.${partition}`));
  }

  /** Resolves once it has let go of it; a process that died never does. */
  async disown(role: Role, partition: number): Promise<void> {
    const ended: Promise<void>[] = [];
    for (const stage of ["A", "B", "C"]) {
      const loop = role.loops.get(`${stage}.${partition}`);
      if (loop === undefined) continue;
      role.loops.delete(`${stage}.${partition}`);
      loop.stop.abort();
      ended.push(loop.ended);
    }
    await Promise.all(ended);
  }

  get ids(): Ids {
    return { token: () => `token-${this.#tokens++}` };
  }

  #startLoops(role: Role): void {
    const owners = role.kind === "correlator" ? this.owners.correlator : this.owners.router;
    for (const [partition, owner] of owners.entries()) if (owner === role.index) this.own(role, partition);
  }

  #startStage(role: Role, process: VirtualProcess, id: "A" | "B", partition: number): void {
    const { tampering } = this.options;
    if (id === "A") this.#runStage(role, process, tampering.stageA?.(stageA) ?? stageA, partition);
    else this.#runStage(role, process, tampering.stageB?.(stageB) ?? stageB, partition);
  }

  #runStage<Item>(role: Role, process: VirtualProcess, stage: Stage<Item>, partition: number): void {
    const { tampering } = this.options;
    const log = this.logFor(process, { definite: false, answersFromCache: tampering.stagesAckFromCache === true });
    const deps = {
      log,
      ...this.#storesFor(process),
      clock: process.clock,
      hash: sha256,
      rules: this.#rulesFor(process),
      facts: {
        readySince: () => this.readySince,
        delivered: () => this.delivered,
        unshippedMs: () => this.#unshippedMs(),
      },
      cacheMax,
    };
    this.#runLoop(role, process, { stage: stage.id, topic: stage.input, partition }, log, (token, signal) =>
      StageSession.open(stage, { partition, token, signal }, deps),
    );
  }

  #storesFor(process: VirtualProcess): Pick<StageDependencies, "windows" | "checkpoints" | "checkpointSettings"> {
    const { scaleOut, tampering } = this.options;
    const store = new FaultyWindowStore(this.windows, process, this.operations, partitions);
    const counting = wrapped<WindowStore>(store, {
      commit: async (at, token, previous, commit) => {
        const result = await store.commit(at, token, previous, commit);
        // A commit with the very facts of the checkpoint: the partition was restored from it.
        const isRestore = commit.meta === this.checkpoints.stored(at)?.meta;
        if (isRestore && "committed" in result) this.counts.add("checkpoint_restored");
        return result;
      },
    });
    const windows = tampering.windows?.(counting, process) ?? counting;
    if (!scaleOut) return { windows };
    const kept = new FaultyCheckpointStore(this.checkpoints, process, this.operations);
    return { windows, checkpoints: tampering.checkpoints?.(kept, process) ?? kept, checkpointSettings };
  }

  /** As the receivers report it, each by its own clock. */
  #unshippedMs(): number {
    const received = this.receiverDisks.map(({ spool, shipped }, index) => {
      const oldest = spool.flatMap((records, partition) => records[shipped[partition] ?? 0]?.received_ms ?? []);
      const skew = this.rolesOf("receiver")[index]?.skewMs ?? 0;
      return this.time.now + skew - Math.min(this.time.now + skew, ...oldest);
    });
    return Math.max(0, ...received);
  }

  #rulesFor(process: VirtualProcess): RuleBook {
    const failed = () => new WinnowError("store_unavailable", "the store did not answer");
    const read = (digest: string) => (): CompiledRuleSet => {
      const set = ruleSets.get(digest);
      if (set === undefined || !this.incidents.ruleSets.has(digest))
        throw new WinnowError("rule_set_missing", "an activated rule set is not stored");
      return set;
    };
    const { operations } = this;
    return {
      initial: initialRules,
      get: (digest) => operations.call(process, { name: "rules.get", effect: false, apply: read(digest), failed }),
    };
  }

  #runLoop(
    role: Role,
    process: VirtualProcess,
    at: {
      readonly stage: "A" | "B" | "C";
      readonly topic: "alerts" | "transitions" | "incident-events";
      readonly partition: number;
    },
    log: ReturnType<Cluster["logFor"]>,
    open: (token: string, signal: AbortSignal) => Promise<PartitionSession>,
  ): void {
    const stop = new AbortController();
    const { tampering } = this.options;
    const loop = new PartitionLoop(
      at,
      async (token, signal) => {
        const session = await open(token, signal);
        return tampering.session?.(session, { ...at, clock: process.clock }) ?? session;
      },
      {
        log,
        clock: process.clock,
        ids: this.ids,
        settings,
        report: {
          alarm: (error) => {
            this.alarms.push(error);
          },
          trouble: (error) => {
            this.#trouble(process, error);
          },
          progress: () => {},
          well: () => {},
          lost: () => {},
          untrimmed: () => {},
        },
      },
    );
    const ended = this.#keepRunning(loop, stop.signal, process).catch((error: unknown) => {
      this.bugs.push(error);
    });
    role.loops.set(`${at.stage}.${at.partition}`, { stop, ended });
  }

  /** As the services do: a partition that another owner took is asked for again. */
  async #keepRunning(loop: PartitionLoop, signal: AbortSignal, process: VirtualProcess): Promise<void> {
    while (!signal.aborted) {
      const end = await loop.run(signal);
      if (end.end !== "fenced") return;
      await process.clock.sleep(rejoinMs, signal);
    }
  }

  #trouble(process: VirtualProcess, error: unknown): void {
    this.operations.trace?.(`   ${process.name} starts over: ${String(error)}`);
    if (!(error instanceof WinnowError)) this.bugs.push(error);
  }

  #startRecord(role: Role, process: VirtualProcess, partition: number): void {
    const log = this.logFor(process, { definite: false });
    const deps = {
      log,
      store: this.incidentsFor(process),
      rules: this.#rulesFor(process),
      hash: sha256,
      cacheMax,
      wished: () => {
        workers.get(process)?.wake();
      },
      recorded: () => {},
    };
    const workers = this.#workers;
    this.#runLoop(role, process, { stage: "C", topic: "incident-events", partition }, log, (token) =>
      RecordSession.open(partition, token, deps),
    );
  }

  readonly #workers = new WeakMap<VirtualProcess, DeliveryWorker>();

  async #startRouter(role: Role, process: VirtualProcess): Promise<void> {
    const store = this.incidentsFor(process);
    while (this.options.routerAlone) {
      const recovered = await store.recoverInflight().then(
        () => true,
        () => false,
      );
      if (recovered) break;
      await process.clock.sleep(rejoinMs);
    }
    const sink = this.vendor.sinkFor(process);
    const worker = new DeliveryWorker(destination, this.options.tampering.sink?.(sink, process) ?? sink, {
      store,
      clock: process.clock,
      ids: this.ids,
      random: () => this.random.next(),
      deploymentId,
      publicUrl: () => "http://winnow",
      report: {
        attempt: () => {},
        twins: () => {},
        ticketed: () => {},
        trouble: (_destination, error) => {
          this.#trouble(process, error);
        },
      },
    });
    this.#workers.set(process, worker);
    this.#startLoops(role);
    await worker.run(process.stop.signal);
  }

  async #startReceiver(role: Role, process: VirtualProcess): Promise<void> {
    const { scaleOut: ships, tampering } = this.options;
    const own = this.receiverDisks[role.index];
    if (own === undefined) throw new Error(`no disk for receiver ${role.index}`);
    const log = this.logFor(process, { definite: !ships, answersFromCache: tampering.receiversAckFromCache === true });
    const { disk, operations } = this;
    const receiver = await ReceiverModel.open({ process, log, disk, own, operations, ships, retryMs: 300 });
    if (role.process === process) role.receiver = receiver;
  }
}
