import type { FoundTicket, RemoteTicket, SinkCall, SinkResult, TicketContent, TicketSink } from "@winnow/ports";
import type { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { VirtualProcess } from "./virtual-process.ts";

/** A ticket as the vendor has it. */
export interface VendorTicket {
  readonly remote_id: string;
  readonly key: string;
  resolved: boolean;
  version: number;
  closed: boolean;
  /** Seqs of the notes in the order in which they came. */
  readonly notes: number[];
}

/** How the vendor behaves. Probabilities per request. */
export interface VendorMoods {
  /** It works on long after the reply is due, and the reply is lost. */
  readonly lateCommit: number;
  /** It did it, and the reply is lost. */
  readonly cutReply: number;
  /** The connection takes so long to open that the lease's margin may be over. */
  readonly slowConnect: number;
  /** It closes a ticket for good. */
  readonly closes: number;
}

export const calmVendor: VendorMoods = { lateCommit: 0, cutReply: 0, slowConnect: 0, closes: 0 };

/** What the product is told: the vendor's own time limit, plus margin. */
export const killTimeMs = 10_000;
/** How long the vendor really works on a request at most; the rest of `killTimeMs` is margin. */
const workMsMax = 8_000;
const slowConnectMs = [500, 90_000] as const;
const usualWorkMs = 40;

/** A class C vendor: stateful, with a consistent lookup by key. */
export class Vendor {
  readonly tickets = new Map<string, VendorTicket>();
  readonly #operations: Operations;
  readonly #random: Random;
  moods: VendorMoods = calmVendor;

  constructor(operations: Operations, random: Random) {
    this.#operations = operations;
    this.#random = random;
  }

  /** All tickets with one key, oldest first. */
  byKey(key: string): VendorTicket[] {
    return [...this.tickets.values()].filter((ticket) => ticket.key === key);
  }

  /** The vendor as a router's process reaches it. */
  sinkFor(process: VirtualProcess): TicketSink {
    return {
      type: "desk",
      class: "C",
      killTimeMs,
      settleMs: 0,
      guarantee: "exactly one",
      create: (content, call) => this.#write(process, "vendor.create", call, () => this.#create(content)),
      update: (remote, content, call) =>
        this.#write(process, "vendor.update", call, () => this.#update(remote.remote_id, content)),
      find: (key) => this.#read(process, "vendor.find", () => this.#found(key)),
      confirm: (remote, content) =>
        this.#read(process, "vendor.confirm", () => this.#confirmed(remote.remote_id, content)),
      close: () => Promise.resolve(),
    };
  }

  #create(content: TicketContent): SinkResult<RemoteTicket> {
    const remoteId = `T${this.tickets.size + 1}`;
    this.tickets.set(remoteId, {
      remote_id: remoteId,
      key: content.key,
      resolved: false,
      version: content.incident.version,
      closed: false,
      notes: content.notes.map((note) => note.seq),
    });
    return { kind: "done", value: { remote_id: remoteId, remote_url: null } };
  }

  #update(remoteId: string, content: TicketContent): SinkResult<RemoteTicket> {
    const ticket = this.tickets.get(remoteId);
    if (ticket === undefined || ticket.closed) return gone;
    ticket.resolved = content.incident.state === "resolved";
    ticket.version = content.incident.version;
    for (const note of content.notes) ticket.notes.push(note.seq);
    return { kind: "done", value: { remote_id: remoteId, remote_url: null } };
  }

  #found(key: string): SinkResult<FoundTicket | null> {
    const [first, ...twins] = this.byKey(key);
    if (first === undefined) return { kind: "done", value: null };
    return {
      kind: "done",
      value: {
        remote_id: first.remote_id,
        remote_url: null,
        twins: twins.map((twin) => ({ remote_id: twin.remote_id, remote_url: null })),
      },
    };
  }

  #confirmed(remoteId: string, content: TicketContent): SinkResult<boolean> {
    const ticket = this.tickets.get(remoteId);
    if (ticket === undefined || ticket.closed) return gone;
    const last = content.notes.at(-1);
    const there =
      last === undefined
        ? ticket.version >= content.incident.version && ticket.resolved === (content.incident.state === "resolved")
        : ticket.notes.includes(last.seq);
    return { kind: "done", value: there };
  }

  #read<Value>(process: VirtualProcess, name: string, apply: () => SinkResult<Value>): Promise<SinkResult<Value>> {
    return this.#operations
      .call(process, {
        name,
        effect: false,
        apply,
        failed: () => new Error("connection refused"),
        latencyMs: usualWorkMs,
      })
      .catch((): SinkResult<Value> => busy);
  }

  async #write<Value>(
    process: VirtualProcess,
    name: string,
    call: SinkCall,
    apply: () => SinkResult<Value>,
  ): Promise<SinkResult<Value>> {
    if (this.#random.chance(this.moods.slowConnect)) {
      this.#operations.counts.add("vendor_slow");
      await process.clock.sleep(this.#random.between(...slowConnectMs));
    }
    if (!call.beforeSend()) return { kind: "refused", retry: "later", code: "http_not_sent", message: "lease over" };
    // From here on the request is with the vendor, whatever becomes of the router.
    if (this.#random.chance(this.moods.lateCommit)) return this.#commitLate(process, apply);
    const cut = this.#random.chance(this.moods.cutReply);
    if (cut) this.#operations.counts.add("vendor_reply_cut");
    return this.#operations
      .call(process, {
        name,
        effect: true,
        apply,
        failed: () => new Unavailable(),
        lost: () => new Error("the reply was lost"),
        latencyMs: usualWorkMs,
        elsewhere: true,
      })
      .then((result) => {
        if (!cut && this.#random.chance(this.moods.closes)) this.#closeOne();
        return cut ? lostReply : result;
      })
      .catch((error: unknown): SinkResult<Value> => (error instanceof Unavailable ? busy : lostReply));
  }

  async #commitLate<Value>(process: VirtualProcess, apply: () => SinkResult<Value>): Promise<SinkResult<Value>> {
    this.#operations.counts.add("vendor_late_commit");
    this.#operations.time.after(this.#random.between(100, workMsMax), () => {
      apply();
    });
    await process.clock.sleep(this.#random.between(50, 3_000));
    return lostReply;
  }

  /** A person at the vendor closes a resolved ticket for good. */
  #closeOne(): void {
    for (const ticket of this.tickets.values()) {
      if (!ticket.resolved || ticket.closed) continue;
      ticket.closed = true;
      this.#operations.counts.add("vendor_closed");
      return;
    }
  }
}

class Unavailable extends Error {}

const busy: SinkResult<never> = { kind: "refused", retry: "later", code: "http_503", message: "try again later" };
const lostReply: SinkResult<never> = { kind: "unknown", code: "http_timeout", message: "no answer" };
const gone: SinkResult<never> = { kind: "gone", code: "closed", message: "closed for good" };
