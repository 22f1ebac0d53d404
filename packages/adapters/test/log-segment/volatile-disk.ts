import { basename, dirname } from "node:path";
import type { SegmentFiles } from "../../src/log-segment/index.ts";
import { systemError } from "./support.ts";

/** What a power cut keeps or loses as a whole. Real sectors are larger; small ones tear more records. */
const sectorBytes = 64;

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly truncate: number };

interface Inode {
  /** What the running system sees, and what would be there after a power cut. */
  cached: Buffer;
  durable: Buffer;
  /** Cached changes that no sync has confirmed. */
  changes: Change[];
}

interface NameChange {
  readonly directory: string;
  readonly path: string;
  readonly inode: Inode | null;
}

export interface Fault {
  readonly call: keyof SegmentFiles;
  readonly errno: string;
  /** Calls that pass before it, then how many fail. */
  skip: number;
  times: number;
}

/**
 * A disk in memory that knows what is durable. A failed sync behaves as the kernel's does: the system goes on seeing
 * the written bytes and calls them clean, while any part of them may or may not have reached the disk.
 */
export class VolatileDisk {
  readonly faults: Fault[] = [];
  /** Calls so far, and the one at which the machine stops; the call may or may not have its effect. */
  calls = 0;
  stopAt = Number.POSITIVE_INFINITY;
  /** How many faults and stops really happened. */
  readonly happened = { faults: 0, stops: 0, torn: 0 };
  readonly #random: () => number;
  readonly #names = new Map<string, Inode>();
  readonly #durableNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  readonly #handles = new Map<number, Inode>();
  #nextHandle = 3;
  #life = 0;
  #onStop: () => void = () => undefined;

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Resolves when the machine stops by itself at `stopAt`. */
  stopped(): Promise<void> {
    return new Promise((resolve) => {
      this.#onStop = resolve;
    });
  }

  /** The process dies: its calls never return, what it wrote is still seen. */
  kill(): void {
    this.#life += 1;
    this.stopAt = Number.POSITIVE_INFINITY;
    this.#handles.clear();
  }

  /** The machine loses power: of all that was not synced any part may be left. */
  powerCut(): void {
    this.kill();
    for (const change of this.#nameChanges) if (this.#chance()) apply(this.#durableNames, change);
    this.#nameChanges = [];
    this.#names.clear();
    for (const [path, inode] of this.#durableNames) {
      this.#settle(inode);
      inode.cached = Buffer.from(inode.durable);
      this.#names.set(path, inode);
    }
  }

  /** The file system as one process sees it until it dies. */
  session(): SegmentFiles {
    const life = this.#life;
    const call =
      <Args extends unknown[], Result>(name: keyof SegmentFiles, run: (...args: Args) => Result) =>
      async (...args: Args): Promise<Result> => {
        await Promise.resolve();
        if (life !== this.#life) return await forever();
        this.calls += 1;
        if (this.calls >= this.stopAt) {
          this.happened.stops += 1;
          if (this.#chance()) run(...args);
          this.#life += 1;
          this.#onStop();
          return await forever();
        }
        this.#failMaybe(name, args);
        return run(...args);
      };
    return {
      makeDirectory: call("makeDirectory", () => undefined),
      list: call("list", (path: string) => this.#list(path)),
      syncDirectory: call("syncDirectory", (path: string) => this.#syncDirectory(path)),
      open: call("open", (path: string, mode: string) => this.#open(path, mode === "create")),
      size: call("size", (file: number) => this.#inode(file).cached.length),
      read: call("read", (file: number, into: Buffer, at: number) => this.#inode(file).cached.copy(into, 0, at)),
      write: call("write", (file: number, bytes: Buffer, at: number) => this.#write(this.#inode(file), at, bytes)),
      truncate: call("truncate", (file: number, bytes: number) => change(this.#inode(file), { truncate: bytes })),
      sync: call("sync", (file: number) => makeDurable(this.#inode(file))),
      close: call("close", (file: number) => void this.#handles.delete(file)),
      unlink: call("unlink", (path: string) => this.#rename(path, null)),
      freeBytes: call("freeBytes", () => Number.MAX_SAFE_INTEGER),
    };
  }

  #failMaybe(call: keyof SegmentFiles, args: readonly unknown[]): void {
    const fault = this.faults.find((one) => one.call === call && one.times > 0);
    // Reading never fails here: what can be read is the judge.
    if (fault === undefined || (call === "open" && args[1] === "read")) return;
    if (fault.skip > 0) {
      fault.skip -= 1;
      return;
    }
    fault.times -= 1;
    this.happened.faults += 1;
    if (call === "write") {
      const [file, bytes, at] = args as [number, Buffer, number];
      this.#write(this.#inode(file), at, bytes.subarray(0, Math.floor(this.#random() * bytes.length)));
    }
    if (call === "sync") this.#settle(this.#inode(args[0] as number));
    throw systemError(fault.errno);
  }

  #list(directory: string): string[] {
    return [...this.#names.keys()].filter((path) => dirname(path) === directory).map((path) => basename(path));
  }

  #open(path: string, create: boolean): number {
    const inode = this.#names.get(path);
    if (create === (inode !== undefined)) throw systemError(create ? "EEXIST" : "ENOENT");
    const opened = inode ?? { cached: Buffer.alloc(0), durable: Buffer.alloc(0), changes: [] };
    if (create) this.#rename(path, opened);
    this.#nextHandle += 1;
    this.#handles.set(this.#nextHandle, opened);
    return this.#nextHandle;
  }

  #rename(path: string, inode: Inode | null): void {
    const change = { directory: dirname(path), path, inode };
    apply(this.#names, change);
    this.#nameChanges.push(change);
  }

  #syncDirectory(directory: string): void {
    for (const change of this.#nameChanges) if (change.directory === directory) apply(this.#durableNames, change);
    this.#nameChanges = this.#nameChanges.filter((change) => change.directory !== directory);
  }

  #write(inode: Inode, at: number, bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) {
      const step = sectorBytes - ((at + done) % sectorBytes);
      const sector = Buffer.from(bytes.subarray(done, done + step));
      change(inode, { at: at + done, bytes: sector });
      done += sector.length;
    }
  }

  /** Any part of the unsynced changes reaches the disk, and none is left to be synced. */
  #settle(inode: Inode): void {
    // Half of the time all or nothing, so that whole groups survive or vanish often too.
    const mode = this.#random();
    for (const one of inode.changes) {
      if (mode < 0.25 || (mode < 0.75 && this.#chance())) inode.durable = changed(inode.durable, one);
      else this.happened.torn += 1;
    }
    inode.changes = [];
  }

  #inode(file: number): Inode {
    const inode = this.#handles.get(file);
    if (inode === undefined) throw systemError("EBADF");
    return inode;
  }

  #chance(): boolean {
    return this.#random() < 0.5;
  }
}

function apply(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode === null) names.delete(path);
  else names.set(path, inode);
}

function change(inode: Inode, one: Change): void {
  inode.cached = changed(inode.cached, one);
  inode.changes.push(one);
}

function makeDurable(inode: Inode): void {
  for (const one of inode.changes) inode.durable = changed(inode.durable, one);
  inode.changes = [];
}

function changed(content: Buffer, one: Change): Buffer {
  const size = "truncate" in one ? one.truncate : Math.max(content.length, one.at + one.bytes.length);
  const next = Buffer.alloc(size);
  content.copy(next, 0, 0, size);
  if (!("truncate" in one)) one.bytes.copy(next, one.at);
  return next;
}

function forever(): Promise<never> {
  return Promise.withResolvers<never>().promise;
}
