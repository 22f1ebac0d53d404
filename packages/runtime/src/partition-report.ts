import type { StageId } from "@winnow/contracts";
import { isLasting, type Logger, WinnowError } from "@winnow/platform";
import type { Clock, Refusal } from "@winnow/ports";
import type { LoopReporter } from "./partition-loop.ts";

/** The same of a partition, again and again, is told this often; ms. */
const sameTroubleMs = 60_000;
/** So often within that time, and two owners take the partition from each other. */
const takenBackMax = 3;

interface Telling {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly claimLost: ((stage: StageId, why: Refusal["refused"]) => void) | undefined;
}

/** How one partition fares: kept for the readiness, told in the log, the same no more than once a minute. */
export class PartitionReport implements LoopReporter {
  readonly health: { position: number; alarm: WinnowError | null } = { position: 0, alarm: null };
  readonly #place: { readonly stage: StageId; readonly partition: number };
  readonly #telling: Telling;
  /** When what was last told; monotonic ms. */
  readonly #told = new Map<string, number>();
  #trouble = "";
  /** Monotonic times of the last takings back. */
  #takenBack: number[] = [];

  constructor(place: { readonly stage: StageId; readonly partition: number }, telling: Telling) {
    this.#place = place;
    this.#telling = telling;
  }

  alarm(error: WinnowError): void {
    this.health.alarm = error;
    this.#telling.logger.error("a partition stopped and needs a person", { ...this.#place, error });
  }

  trouble(error: unknown): void {
    if (isLasting(error)) {
      if (this.health.alarm?.code !== error.code) {
        const message = "a partition waits: it needs a person, and then goes on by itself";
        this.#telling.logger.error(message, { ...this.#place, error });
      }
      this.health.alarm = error;
      return;
    }
    const what = error instanceof WinnowError ? error.code : String(error);
    if (what !== this.#trouble) this.#told.delete("trouble");
    this.#trouble = what;
    if (this.#isTime("trouble")) this.#telling.logger.warn("a partition starts over", { ...this.#place, error });
  }

  well(): void {
    if (this.health.alarm === null) return;
    this.health.alarm = null;
    this.#telling.logger.info("a partition goes on", this.#place);
  }

  untrimmed(error: unknown): void {
    if (!this.#isTime("untrimmed")) return;
    const message = "records that are done with could not be removed from the log; tried again";
    this.#telling.logger.warn(message, { ...this.#place, error });
  }

  lost(why: Refusal["refused"]): void {
    this.#telling.claimLost?.(this.#place.stage, why);
    if (why === "position" && this.#isTime("position"))
      this.#telling.logger.warn("the window store does not stand at the last commit: claimed again", this.#place);
  }

  /** Another owner had claimed it, and it is claimed again, since it is still to run here. */
  takenBack(): void {
    const { clock, logger } = this.#telling;
    const now = clock.monotonic();
    this.#takenBack = [...this.#takenBack, now].filter((at) => now - at < sameTroubleMs);
    const times = this.#takenBack.length;
    if (times < takenBackMax) {
      logger.warn("another owner had taken a partition: it is taken back, since it is still ours", this.#place);
    } else if (this.#isTime("fight")) {
      const message =
        "two owners take a partition from each other: look for a second installation with the same window store";
      logger.error(message, { ...this.#place, times });
    }
  }

  progress(position: number): void {
    if (position > this.health.position) this.#trouble = "";
    this.health.position = position;
  }

  #isTime(what: string): boolean {
    const now = this.#telling.clock.monotonic();
    const at = this.#told.get(what);
    if (at !== undefined && now - at < sameTroubleMs) return false;
    this.#told.set(what, now);
    return true;
  }
}
