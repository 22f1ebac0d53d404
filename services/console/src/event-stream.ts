import type { LogValue } from "@winnow/contracts";
import type { Clock, EventLog, IncidentReader, IncidentRow } from "@winnow/ports";
import { boundsOf } from "@winnow/runtime";
import { incidentView } from "./views.ts";

const readBytes = 256 * 1024;
const keepAliveMs = 15_000;
/** How often to look for what another process has recorded; ms. */
const lookMs = 1_000;
const streamsMax = 100;

export interface EventStreamParts {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly store: Pick<IncidentReader, "recordMetas" | "deliveriesOf">;
  /** Calls back after each commit of stage C in this process; returns the way to stop it. */
  onRecorded(listener: () => void): () => void;
}

/**
 * Incident changes as server-sent events, read from the log itself: the id of an event is the position in every
 * partition, so that a client resumes over restarts with `Last-Event-ID` and misses nothing that is still kept.
 * A change is told once it is recorded, so that whoever asks for the incident then finds it. After a crash a change may
 * come twice; `version` tells.
 */
export class EventStreams {
  readonly #parts: EventStreamParts;
  readonly #closing = new AbortController();
  #open = 0;

  constructor(parts: EventStreamParts) {
    this.#parts = parts;
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
    const news = new News(this.#parts, signal);
    this.#open += 1;
    try {
      const { positions, reset } = await this.#startAt(lastEventId);
      yield `retry: 2000\n\n`;
      if (reset) yield `event: reset\nid: ${positions.join(".")}\ndata: {}\n\n`;
      let spokeAt = this.#parts.clock.monotonic();
      while (!signal.aborted) {
        const frames = await this.#frames(positions);
        for (const frame of frames) yield frame;
        const now = this.#parts.clock.monotonic();
        if (frames.length > 0) spokeAt = now;
        else if (now - spokeAt >= keepAliveMs) {
          spokeAt = now;
          yield ": still here\n\n";
        } else await news.wait(Math.min(lookMs, keepAliveMs));
      }
    } finally {
      news.stop();
      this.#open -= 1;
    }
  }

  /** What was recorded beyond `positions`, which move on. */
  async #frames(positions: number[]): Promise<string[]> {
    const frames: string[] = [];
    for (const { partition, meta } of await this.#parts.store.recordMetas()) {
      const recorded = meta?.position ?? 0;
      const at = positions[partition] ?? 0;
      if (at >= recorded) continue;
      const records = await this.#parts.log.read("incident-events", partition, at, readBytes);
      for (const record of records) {
        if (record.offset >= recorded) break;
        const before = positions.join(".");
        positions[partition] = record.offset + 1;
        frames.push(...(await this.#framesOf(record.value, { before, after: positions.join(".") })));
      }
    }
    return frames;
  }

  /** Only the last frame of a record moves the id on: a client cut off in the middle gets the whole record again. */
  async #framesOf(value: LogValue, ids: { readonly before: string; readonly after: string }): Promise<string[]> {
    if (value.kind !== "outputs") return [];
    const incidents = value.items.flatMap(({ body }) => (body.type === "incident" ? [body.incident] : []));
    if (incidents.length === 0) return [];
    const deliveries = await this.#parts.store.deliveriesOf([...new Set(incidents.map((one) => one.incident_id))]);
    return incidents.map((snapshot, index) => {
      const id = index === incidents.length - 1 ? ids.after : ids.before;
      const row: IncidentRow = { snapshot, destinations: [], timeline_seq: 0, action_ids: [] };
      const data = JSON.stringify(incidentView(row, deliveries));
      return `event: incident\nid: ${id}\ndata: ${data}\n\n`;
    });
  }

  /** Where to begin: at the end, or where the client stopped; `reset` when that is no longer kept. */
  async #startAt(lastEventId: string | undefined): Promise<{ positions: number[]; reset: boolean }> {
    const { log } = this.#parts;
    const asked = (lastEventId ?? "").split(".").map(Number);
    const fits = asked.length === log.partitions && asked.every((at) => Number.isSafeInteger(at) && at >= 0);
    const positions: number[] = [];
    let reset = lastEventId !== undefined && lastEventId !== "" && !fits;
    for (let partition = 0; partition < log.partitions; partition += 1) {
      const bounds = await boundsOf(log, "incident-events", partition);
      const at = fits ? (asked[partition] ?? 0) : bounds.end_offset;
      const kept = at >= bounds.start_offset && at <= bounds.end_offset;
      if (!kept) reset = true;
      positions.push(kept ? at : bounds.end_offset);
    }
    return { positions, reset };
  }
}

/** Waits for the next commit of stage C; one that came while nobody waited counts too. */
class News {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #unsubscribe: () => void;
  #isThere = false;
  #wake: (() => void) | null = null;

  constructor(parts: EventStreamParts, signal: AbortSignal) {
    this.#clock = parts.clock;
    this.#signal = signal;
    this.#unsubscribe = parts.onRecorded(() => {
      this.#isThere = true;
      this.#wake?.();
    });
  }

  /** Resolves when there may be news: a commit, `ms` later, or the stream's end. */
  async wait(ms: number): Promise<void> {
    if (!this.#isThere) {
      const waiting = new AbortController();
      this.#wake = () => waiting.abort();
      await this.#clock.sleep(ms, AbortSignal.any([waiting.signal, this.#signal]));
      this.#wake = null;
    }
    this.#isThere = false;
  }

  stop(): void {
    this.#unsubscribe();
  }
}
