import { CommandFailed, exitCodes } from "../commands/exit-codes.ts";
import type { Terminal } from "../commands/terminal.ts";
import { type Connection, readConnection } from "./connection.ts";
import { type ClientReply, exchange, NoReply } from "./http.ts";

export type Query = Readonly<Record<string, string | number | undefined>>;

/** One page of a list, as every list of the API answers. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface ApiRequest {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly raw?: { readonly body: string | Uint8Array; readonly contentType: string };
  readonly idempotencyKey?: string;
  /** Statuses beyond 2xx whose body the caller wants to see. */
  readonly accept?: readonly number[];
}

export interface ApiReply {
  readonly status: number;
  /** Parsed JSON; null for an empty body. */
  readonly body: unknown;
}

/** What an RFC 9457 problem may hold. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
}

const timeoutMs = 30_000;
const readyTimeoutMs = 5_000;
/** The API's largest page. */
const pageMax = 500;

/** Winnow answered, and not as was hoped. */
export class ApiRefusal extends CommandFailed {
  readonly status: number;

  constructor(status: number, message: string, hint: string | null = null) {
    super(status === 404 ? exitCodes.notFound : exitCodes.failed, message, hint);
    this.name = "ApiRefusal";
    this.status = status;
  }
}

/** Talks to one Winnow. Every method rejects with CommandFailed: 4 not found, 5 unreachable, 1 anything else. */
export class Api {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** `http://127.0.0.1:8080`, without the slash. */
  get url(): string {
    return this.#connection.url.href.replace(/\/$/, "");
  }

  async get(path: string, query: Query = {}): Promise<unknown> {
    const { body } = await this.send("GET", path, { query });
    return body;
  }

  async page<Item>(path: string, query: Query = {}): Promise<Page<Item>> {
    return (await this.get(path, query)) as Page<Item>;
  }

  /** Up to `limit` items, over as many pages as that takes; the cursor is where to go on. */
  async pages<Item>(path: string, query: Query, limit: number): Promise<Page<Item>> {
    const items: Item[] = [];
    let page: Page<Item>;
    let cursor: string | undefined;
    do {
      const wanted = Math.min(limit - items.length, pageMax);
      page = await this.page<Item>(path, { ...query, limit: wanted, ...(cursor === undefined ? {} : { cursor }) });
      items.push(...page.items);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined && items.length < limit);
    return { ...page, items };
  }

  async send(method: "GET" | "POST" | "DELETE", path: string, request: ApiRequest = {}): Promise<ApiReply> {
    const reply = await this.#exchange(method, path, request);
    const isFine = reply.status >= 200 && reply.status < 300;
    if (!isFine && request.accept?.includes(reply.status) !== true) throw this.#failure(reply, path);
    if (reply.text === "") return { status: reply.status, body: null };
    try {
      return { status: reply.status, body: JSON.parse(reply.text) as unknown };
    } catch {
      throw new CommandFailed(exitCodes.failed, `${this.url} did not answer with JSON: is it a Winnow?`);
    }
  }

  async #exchange(method: "GET" | "POST" | "DELETE", path: string, request: ApiRequest): Promise<ClientReply> {
    const { token } = this.#connection;
    const { json, raw, idempotencyKey } = request;
    const body = raw?.body ?? (json === undefined ? null : JSON.stringify(json));
    const contentType = raw?.contentType ?? "application/json";
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": "winnow-cli",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === null ? {} : { "content-type": contentType, "content-length": String(Buffer.byteLength(body)) }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    };
    const patience = path === "healthz" || path === "readyz" ? readyTimeoutMs : timeoutMs;
    try {
      return await exchange({ method, url: this.#place(path, request.query), headers, body, timeoutMs: patience });
    } catch (error) {
      if (!(error instanceof NoReply)) throw error;
      throw this.#unreachable(error, idempotencyKey);
    }
  }

  #place(path: string, query: Query = {}): URL {
    const url = new URL(path, this.#connection.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #unreachable(error: NoReply, idempotencyKey: string | undefined): CommandFailed {
    const message = `${this.url} cannot be reached: ${error.message}`;
    if (error.sent && idempotencyKey !== undefined) {
      const again = `it may have been done all the same; repeat it safely with --idempotency-key ${idempotencyKey}`;
      return new CommandFailed(exitCodes.unreachable, message, again);
    }
    return new CommandFailed(exitCodes.unreachable, message, "is `winnow up` running there? Set --url or WINNOW_URL");
  }

  #failure(reply: ClientReply, path: string): ApiRefusal {
    const { status } = reply;
    const problem = problemOf(reply);
    const said = [problem.title ?? `${this.url} answered ${status}`, problem.detail].filter(Boolean).join(": ");
    switch (status) {
      case 401:
        return new ApiRefusal(status, said, this.#connection.tokenHint);
      case 403:
        return new ApiRefusal(status, said, "see the token's scopes with `winnow token ls`");
      case 301:
      case 302:
      case 307:
      case 308:
        return new ApiRefusal(status, `${this.url} redirects /${path}`, "give its final address as --url");
      default:
        return new ApiRefusal(status, said);
    }
  }
}

function problemOf(reply: ClientReply): Problem {
  if (!reply.contentType.includes("json")) return {};
  try {
    return (JSON.parse(reply.text) as Problem | null) ?? {};
  } catch {
    return {};
  }
}

/** An id as one part of a path. */
export function segment(id: string): string {
  if (id === "" || id === "." || id === "..") throw new CommandFailed(exitCodes.notFound, `there is no "${id}"`);
  return encodeURIComponent(id);
}

/** The API that this command line speaks to. */
export async function openApi(terminal: Terminal, options: { readonly url?: string }): Promise<Api> {
  return new Api(await readConnection(terminal, options));
}
