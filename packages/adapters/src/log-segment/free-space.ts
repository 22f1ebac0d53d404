import type { Topic } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { Settings } from "./options.ts";

/** The file system is asked at most this often while there is room, and exactly this often while there is none. */
const checkEveryMs = 1000;

/** Written bytes after which it is asked at once. */
const checkEveryBytes = 16 * 1024 * 1024;

interface Watched {
  readonly dir: string;
  readonly floorBytes: number;
  /** Bytes that the log has written so far. */
  written(): number;
}

type Level = "ok" | "below_floor" | "below_half";

/**
 * Refuses appends before the disk is full. At the floor topic `alerts` is refused: that is what comes from outside.
 * What the stages write goes on down to half of the floor, since only their progress lets old segments go.
 */
export class FreeSpace {
  /** Refused appends. */
  refused = 0;
  /** As last seen; null while the file system has not answered yet. */
  freeBytes: number | null = null;
  readonly #settings: Settings;
  readonly #of: Watched;
  readonly #stop = new AbortController();
  #level: Level = "ok";
  #checkedAt = Number.NEGATIVE_INFINITY;
  #writtenThen = 0;
  #checking: Promise<void> | null = null;
  #unanswered = false;

  constructor(settings: Settings, of: Watched) {
    this.#settings = settings;
    this.#of = of;
  }

  get low(): boolean {
    return this.#level !== "ok";
  }

  /** Throws `log_full` while there is too little room for the topic. */
  admit(topic: Topic): void {
    if (this.#level === "ok") this.#checkSometimes();
    if (this.#level === "ok" || (this.#level === "below_floor" && topic !== "alerts")) return;
    this.refused += 1;
    const fields = { reason: "free_space", free_bytes: this.freeBytes, floor_bytes: this.#of.floorBytes };
    throw new WinnowError("log_full", "the disk has less free space than the floor", { fields });
  }

  /** Asks the file system now; shared by all who ask at once. */
  check(): Promise<void> {
    this.#checking ??= this.#ask().finally(() => {
      this.#checking = null;
    });
    return this.#checking;
  }

  close(): void {
    this.#stop.abort();
  }

  #checkSometimes(): void {
    const due = this.#settings.clock.monotonic() - this.#checkedAt >= checkEveryMs;
    if (due || this.#of.written() - this.#writtenThen >= checkEveryBytes) void this.check();
  }

  async #ask(): Promise<void> {
    this.#checkedAt = this.#settings.clock.monotonic();
    this.#writtenThen = this.#of.written();
    try {
      this.freeBytes = await this.#settings.files.freeBytes(this.#of.dir);
      this.#unanswered = false;
    } catch (error) {
      // The disk itself still refuses a write that has no room.
      if (!this.#unanswered) this.#settings.log.warn({ error: String(error) }, "the free space could not be read");
      this.#unanswered = true;
      return;
    }
    const before = this.#level;
    this.#level = this.#judge(this.freeBytes);
    const fields = { free_bytes: this.freeBytes, floor_bytes: this.#of.floorBytes };
    if (before === "ok" && this.#level !== "ok") {
      this.#settings.log.error(fields, "free space is below the floor: new alerts are refused until there is more");
      void this.#watch();
    }
    if (before !== "ok" && this.#level === "ok") this.#settings.log.info(fields, "there is enough free space again");
  }

  #judge(freeBytes: number): Level {
    if (freeBytes >= this.#of.floorBytes) return "ok";
    return freeBytes >= this.#of.floorBytes / 2 ? "below_floor" : "below_half";
  }

  /** Looks again until there is room, so that the log opens up without anybody's doing. */
  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (this.low && !signal.aborted) {
      await this.#settings.clock.sleep(checkEveryMs, signal);
      if (!signal.aborted) await this.check();
    }
  }
}
