import { type FaultKind, faultKinds, type Operation } from "./faults.ts";
import type { Ledger } from "./ledger.ts";
import {
  type FakeOptions,
  type FakeReply,
  type FakeRequest,
  type FakeServer,
  parseJson,
  startFakeServer,
  type Vendor,
} from "./server.ts";

const dataFaults: readonly FaultKind[] = ["unrelated_row", "two_rows", "search_lag", "closed"];
const operations: Readonly<Record<string, Operation>> = {
  "/api/chat.postMessage": "create",
  "/api/chat.update": "update",
  "/api/conversations.history": "search",
};

type Message = Readonly<Record<string, unknown>>;

/**
 * A fake Slack: incoming webhooks (`/services/…`, answered with plain `ok`), `chat.postMessage`, `chat.update` and
 * `conversations.history`. The Web API answers 200 with `ok: true` or `ok: false, error`, as Slack does.
 */
export async function startFakeSlack(options: FakeOptions): Promise<FakeServer> {
  return await startFakeServer(options, (ledger) => new SlackVendor(ledger));
}

class SlackVendor implements Vendor {
  readonly faults = faultKinds.filter((kind) => !dataFaults.includes(kind));
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  operationOf(request: FakeRequest): Operation | null {
    const { pathname } = request.url;
    return pathname.startsWith("/services/") ? "create" : (operations[pathname] ?? null);
  }

  handle(request: FakeRequest): FakeReply {
    const { pathname } = request.url;
    const message = messageOf(request);
    if (pathname.startsWith("/services/")) {
      return this.#webhook(message);
    }
    if (request.headers.authorization?.startsWith("Bearer ") !== true) {
      return no("not_authed");
    }
    switch (operations[pathname]) {
      case "create":
        return this.#post(message);
      case "update":
        return this.#update(message);
      case "search":
        return { status: 200, body: { ok: true, messages: this.#messages(message["channel"]).toReversed() } };
      default:
        return no("unknown_method");
    }
  }

  error(status: 401 | 429 | 500): FakeReply {
    return status === 401
      ? no("invalid_auth")
      : { status, body: { ok: false, error: status === 429 ? "ratelimited" : "internal_error" } };
  }

  #webhook(message: Message): FakeReply {
    if (typeof message["text"] !== "string" && !Array.isArray(message["blocks"])) {
      return { status: 400, body: "no_text" };
    }
    this.#ledger.append({ op: "create", by: "api", ...message });
    return { status: 200, body: "ok" };
  }

  #post(message: Message): FakeReply {
    if (typeof message["channel"] !== "string") {
      return no("channel_not_found");
    }
    const next = this.#ledger.entries().length + 1;
    const ts = `${Math.floor(Date.now() / 1000)}.${String(next).padStart(6, "0")}`;
    this.#ledger.append({ op: "create", by: "api", ts, ...message });
    return { status: 200, body: { ok: true, channel: message["channel"], ts, message } };
  }

  #update(message: Message): FakeReply {
    const { channel, ts } = message;
    if (!this.#messages(channel).some((one) => one["ts"] === ts)) {
      return no("message_not_found");
    }
    this.#ledger.append({ op: "update", by: "api", ...message });
    return { status: 200, body: { ok: true, channel, ts } };
  }

  /** Oldest first, as they read now. */
  #messages(channel: unknown): Message[] {
    const messages = new Map<unknown, Message>();
    for (const { seq: _seq, at: _at, op: _op, by: _by, ...message } of this.#ledger.entries()) {
      if (message["channel"] === channel && message["ts"] !== undefined) {
        messages.set(message["ts"], { ...messages.get(message["ts"]), ...message });
      }
    }
    return [...messages.values()];
  }
}

function messageOf(request: FakeRequest): Message {
  const body = parseJson(request.text);
  const fields = typeof body === "object" && body !== null ? (body as Message) : {};
  return { ...Object.fromEntries(request.url.searchParams), ...fields };
}

function no(error: string): FakeReply {
  return { status: 200, body: { ok: false, error } };
}
