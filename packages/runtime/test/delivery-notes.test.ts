import { type IncidentSnapshot, reason, type TimelineEntry } from "@winnow/contracts";
import type {
  DeliveryQueue,
  DeliveryRow,
  DeliveryUpdate,
  IncidentReader,
  TicketContent,
  TicketSink,
} from "@winnow/ports";
import t from "tap";
import { DeliveryWorker } from "../src/delivery-worker.ts";

const lines = 250;
const key = { incident_id: "inc_1", destination: "desk", generation: 1 };
const incident = { incident_id: "inc_1", version: 7, state: "new", opened_ms: 0 } as IncidentSnapshot;
const unsent = { sent_ms: null, sent_version: null, sent_seq: null };
const fresh: DeliveryRow = {
  ...key,
  ...unsent,
  delivery_state: "due",
  desired_version: 7,
  applied_version: 0,
  applied_seq: 0,
  remote_id: null,
  remote_url: null,
  attempts: 0,
  due_ms: 0,
  priority: "P1",
  lease_token: null,
  lease_until_ms: null,
  last_error: null,
};

function timeline(): (TimelineEntry & { seq: number })[] {
  const entry = (at: number): TimelineEntry & { seq: number } => ({
    seq: at + 1,
    kind: "joined",
    at_ms: at,
    actor: "winnow",
    reason: reason("rule_joined"),
  });
  return Array.from({ length: lines }, (_, at) => entry(at));
}

/** One delivery, its incident, and a story longer than one update takes. */
class OneDelivery {
  row = fresh;
  readonly #idle = Promise.withResolvers<void>();
  readonly whenIdle = this.#idle.promise;

  async lease(): Promise<DeliveryRow[]> {
    return this.row.delivery_state === "due" || this.row.delivery_state === "unknown" ? [this.row] : [];
  }

  async markInflight(_key: unknown, _token: string, sent: { version: number; seq: number }): Promise<number> {
    this.row = { ...this.row, delivery_state: "inflight", sent_ms: 1, sent_version: sent.version, sent_seq: sent.seq };
    return 1;
  }

  async settle(_key: unknown, _token: string, update: DeliveryUpdate): Promise<boolean> {
    const { timeline: _line, successor: _successor, ...fields } = update;
    const row = { ...this.row, ...fields };
    const isBehind = row.delivery_state === "idle" && row.applied_version < row.desired_version;
    this.row = isBehind ? { ...row, ...unsent, delivery_state: "due" } : row;
    if (this.row.delivery_state === "idle") this.#idle.resolve();
    return true;
  }

  async timeline(_id: string, after: number, limit: number): Promise<ReturnType<typeof timeline>> {
    return timeline().slice(after, after + limit);
  }

  store(): DeliveryQueue & IncidentReader {
    const rest = {
      requeue: async () => 0,
      storeNow: async () => 10_000,
      nextDue: async () => 10_000,
      epoch: async () => null,
      deliveriesOf: async () => [this.row],
      incident: async () => ({ snapshot: incident }),
      members: async () => ({ items: [], next_cursor: null }),
    };
    const own = {
      lease: () => this.lease(),
      markInflight: this.markInflight.bind(this),
      settle: this.settle.bind(this),
      timeline: this.timeline.bind(this),
    };
    return { ...rest, ...own } as unknown as DeliveryQueue & IncidentReader;
  }
}

/** A vendor that keeps the notes; with `losesReplies` no update is ever answered, and only a look tells. */
class Desk {
  readonly notes: number[] = [];
  readonly #losesReplies: boolean;

  constructor(losesReplies: boolean) {
    this.#losesReplies = losesReplies;
  }

  sink(): TicketSink {
    const remote = { remote_id: "T1", remote_url: null };
    const take = (content: TicketContent): void => void this.notes.push(...content.notes.map(({ seq }) => seq));
    return {
      type: "desk",
      class: "C",
      killTimeMs: 1_000,
      settleMs: 0,
      guarantee: "",
      create: async (content) => {
        take(content);
        return { kind: "done", value: remote };
      },
      update: async (_remote, content) => {
        take(content);
        return this.#losesReplies
          ? { kind: "unknown", code: "lost", message: "lost" }
          : { kind: "done", value: remote };
      },
      confirm: async (_remote, content) => ({
        kind: "done",
        value: content.notes.every(({ seq }) => this.notes.includes(seq)),
      }),
      close: async () => undefined,
    };
  }
}

async function deliverAll(desk: Desk): Promise<void> {
  const delivery = new OneDelivery();
  const settings = { name: "desk", mode: "live", maxCreatesPerMinute: 100, concurrency: 1 } as const;
  const silent = {
    attempt: () => {},
    twins: () => {},
    ticketed: () => {},
    trouble: (_: string, error: unknown) => t.error(error),
  };
  const clock = { now: () => 10_000, monotonic: () => 10_000, sleep: () => Promise.resolve() };
  const worker = new DeliveryWorker(settings, desk.sink(), {
    store: delivery.store(),
    clock,
    ids: { token: () => "lease" },
    random: () => 0,
    deploymentId: "d",
    publicUrl: () => "http://winnow",
    report: silent,
  });
  const stop = new AbortController();
  const running = worker.run(stop.signal);
  await delivery.whenIdle;
  stop.abort();
  await running;
}

await t.test("a story longer than one update reaches the ticket whole, in order and once", async (t) => {
  for (const losesReplies of [false, true]) {
    const desk = new Desk(losesReplies);
    await deliverAll(desk);
    t.same(
      desk.notes,
      Array.from({ length: lines }, (_, at) => at + 1),
      losesReplies ? "with every reply of an update lost" : "with every reply",
    );
  }
});
