import type { LogValue } from "@winnow/contracts";
import type { Clock, EventLog } from "@winnow/ports";
import { incidentView } from "./views.ts";

const readBytes = 256 * 1024;
const keepAliveMs = 15_000;
const streamsMax = 100;

/**
 * Incident changes as server-sent events, read from the log itself: the id of an event is the position in every
 * partition, so that a client resumes over restarts with `Last-Event-ID` and misses nothing that is still kept.
 * After a crash a change may come twice; `version` tells.
 */
export class EventStreams {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #open = 0;

  constructor(parts: { log: EventLog; clock: Clock }) {
    this.#log = parts.log;
    this.#clock = parts.clock;
  }

  /** Ends every stream: clients come again with their last id. */
  close(): void {
    this.#closing.abort();
  }

  get full(): boolean {
    return this.#open >= streamsMax;
  }

  /** Yields the text of the stream until the signal is aborted. */
  async *stream(lastEventId: string | undefined, gone: AbortSignal): AsyncGenerator<string> {
    const signal = AbortSignal.any([gone, this.#closing.signal]);
    this.#open += 1;
    try {
      const { positions, reset } = await this.#startAt(lastEventId);
      yield `retry: 2000\n\n`;
      if (reset) yield `event: reset\nid: ${positions.join(".")}\ndata: {}\n\n`;
      while (!signal.aborted) {
        let quiet = true;
        for (let partition = 0; partition < positions.length; partition += 1) {
          const records = await this.#log.read("incident-events", partition, positions[partition] ?? 0, readBytes);
          for (const record of records) {
            positions[partition] = record.offset + 1;
            for (const text of framesOf(record.value, positions)) yield text;
          }
          if (records.length > 0) quiet = false;
        }
        if (quiet && !(await this.#more(positions, signal))) yield ": still here\n\n";
      }
    } finally {
      this.#open -= 1;
    }
  }

  /** Where to begin: at the end, or where the client stopped; `reset` when that is no longer kept. */
  async #startAt(lastEventId: string | undefined): Promise<{ positions: number[]; reset: boolean }> {
    const asked = (lastEventId ?? "").split(".").map(Number);
    const fits = asked.length === this.#log.partitions && asked.every((at) => Number.isSafeInteger(at) && at >= 0);
    const positions: number[] = [];
    let reset = lastEventId !== undefined && lastEventId !== "" && !fits;
    for (let partition = 0; partition < this.#log.partitions; partition += 1) {
      const status = await this.#log.status("incident-events", partition);
      const at = fits ? (asked[partition] ?? 0) : status.end_offset;
      const kept = at >= status.start_offset && at <= status.end_offset;
      if (!kept) reset = true;
      positions.push(kept ? at : status.end_offset);
    }
    return { positions, reset };
  }

  /** True when something new came, false after a quiet while. */
  async #more(positions: readonly number[], signal: AbortSignal): Promise<boolean> {
    const waiting = new AbortController();
    const stop = () => {
      waiting.abort();
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([
        ...positions.map(async (at, partition) => this.#log.wait("incident-events", partition, at, waiting.signal)),
        this.#clock.sleep(keepAliveMs, waiting.signal).then(() => false),
      ]);
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
  }
}

function framesOf(value: LogValue, positions: readonly number[]): string[] {
  if (value.kind !== "outputs") return [];
  return value.items.flatMap(({ body }) => {
    if (body.type !== "incident") return [];
    const row = { snapshot: body.incident, destinations: [], timeline_seq: 0, action_ids: [] };
    const data = JSON.stringify(incidentView(row, []));
    return [`event: incident\nid: ${positions.join(".")}\ndata: ${data}\n\n`];
  });
}
