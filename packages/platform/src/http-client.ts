import type { Socket } from "node:net";
import { Agent, buildConnector, type Dispatcher } from "undici";
import { type AddressGuard, addressRefused, createAddressGuard } from "./address-guard.ts";
import { WinnowError } from "./errors.ts";

/** Settings of one destination's outgoing HTTP. Times in ms. */
export interface HttpClientOptions {
  /** CIDRs of non-public networks that may be reached; see `createAddressGuard`. */
  readonly allowNetworks: readonly string[];
  /** PEM text of certificate authorities to trust instead of the built-in ones. */
  readonly ca?: string;
  /** For DNS, TCP and TLS together. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Longest silence inside a response body. Default 30 s. */
  readonly bodyTimeoutMs?: number;
  /** Default 1 MiB; a longer response is `http_failed`. */
  readonly maxResponseBytes?: number;
  /** Connections per origin. Default 8. */
  readonly connections?: number;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute http or https URL. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole exchange, waiting for a connection included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Asked once with the connection open and right before the first byte is written; false sends nothing. */
  readonly beforeSend?: () => boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; a repeated header is joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface HttpClient {
  /**
   * One request on one connection: no redirect is followed, nothing is tried twice.
   * Resolves with any status. Rejects with `address_refused` or `http_not_sent` when no byte of the request has left,
   * and with `http_failed` when some may have: then it may have been carried out. Errors name the origin only, since
   * paths, headers and bodies may hold secrets.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Cuts what is still under way. */
  close(): Promise<void>;
}

const defaults = { connectTimeoutMs: 10_000, bodyTimeoutMs: 30_000, maxResponseBytes: 1_048_576, connections: 8 };

/** Makes the HTTP client of one destination, with connections of its own. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const settings = { ...defaults, ...options };
  const guard = createAddressGuard(options.allowNetworks);
  const agent = new Agent({
    connections: settings.connections,
    pipelining: 1,
    allowH2: false,
    connect: guardedConnector(guard, settings),
  });
  return {
    request: async (request) => await exchange(agent, request, settings),
    close: () => agent.destroy(),
  };
}

/**
 * Judges literal hosts before connecting (sockets skip their lookup for those), names by what they resolve to, and
 * the connected socket once more by the address that it really reached.
 */
function guardedConnector(
  guard: AddressGuard,
  settings: { readonly connectTimeoutMs: number; readonly ca?: string },
): buildConnector.connector {
  const connect = buildConnector({
    timeout: settings.connectTimeoutMs,
    allowH2: false,
    lookup: guard.lookup,
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
  });
  return (target, callback) => {
    try {
      guard.checkHost(target.hostname);
    } catch (error) {
      queueMicrotask(() => callback(error as WinnowError, null));
      return;
    }
    connect(target, (...result: [null, Socket] | [Error, null]) => {
      const [error, socket] = result;
      if (error !== null) {
        callback(error, null);
      } else if (socket.remoteAddress === undefined || !guard.allows(socket.remoteAddress)) {
        socket.destroy();
        callback(addressRefused(socket.remoteAddress ?? "an unknown address"), null);
      } else {
        callback(null, socket);
      }
    });
  };
}

interface Limits {
  readonly bodyTimeoutMs: number;
  readonly maxResponseBytes: number;
}

function exchange(agent: Agent, request: HttpRequest, limits: Limits): Promise<HttpResponse> {
  const url = parseUrl(request.url);
  return new Promise((fulfil, reject) => {
    const running = new Exchange(request, { limits, origin: url.origin, fulfil, reject });
    if (running.settled) {
      return;
    }
    try {
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method,
          headers: { ...request.headers },
          ...(request.body === undefined ? {} : { body: request.body }),
          headersTimeout: request.timeoutMs,
          bodyTimeout: limits.bodyTimeoutMs,
        },
        running,
      );
    } catch (error) {
      running.fail(error);
    }
  });
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new WinnowError("http_not_sent", "The URL is not an absolute http or https URL");
  }
  return url;
}

interface Ending {
  readonly limits: Limits;
  readonly origin: string;
  readonly fulfil: (response: HttpResponse) => void;
  readonly reject: (error: WinnowError) => void;
}

/** One request under way: knows whether the first byte may have left, and ends exactly once. */
class Exchange implements Dispatcher.DispatchHandler {
  settled = false;
  readonly #request: HttpRequest;
  readonly #ending: Ending;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.fail(new Reason("aborted"));
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #bytes = 0;
  #status = 0;
  #headers: Record<string, string> = {};

  constructor(request: HttpRequest, ending: Ending) {
    this.#request = request;
    this.#ending = ending;
    this.#timer = setTimeout(() => this.fail(new Reason("timeout")), request.timeoutMs);
    request.signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (request.signal?.aborted === true) {
      this.#onAbort();
    }
  }

  /** Called by undici with the connection open, before it writes. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.settled) {
      controller.abort(new Reason("given_up"));
    } else if (this.#request.beforeSend?.() === false) {
      this.fail(new Reason("before_send"));
    } else {
      this.#sent = true;
    }
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHeaders): void {
    this.#status = status;
    this.#headers = joinHeaders(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#ending.limits.maxResponseBytes) {
      this.fail(new Reason("response_too_large"));
    } else {
      this.#chunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    if (this.#end()) {
      const text = new TextDecoder().decode(Buffer.concat(this.#chunks));
      this.#ending.fulfil({ status: this.#status, headers: this.#headers, text });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  fail(error: unknown): void {
    if (!this.#end()) {
      return;
    }
    this.#ending.reject(this.#classify(error));
    this.#controller?.abort(new Reason("given_up"));
  }

  #end(): boolean {
    if (this.settled) {
      return false;
    }
    this.settled = true;
    clearTimeout(this.#timer);
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }

  #classify(error: unknown): WinnowError {
    if (error instanceof WinnowError) {
      return error;
    }
    const cause = reasonOf(error);
    const what = `${this.#request.method} to ${this.#ending.origin}`;
    const fields = { origin: this.#ending.origin, cause, status: this.#status === 0 ? null : this.#status };
    return this.#sent
      ? new WinnowError("http_failed", `${what} ended without an answer: ${cause}`, { fields })
      : new WinnowError("http_not_sent", `${what} was not sent: ${cause}`, { fields });
  }
}

type IncomingHeaders = Readonly<Record<string, string | string[] | undefined>>;

function joinHeaders(headers: IncomingHeaders): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) {
      joined[name.toLowerCase()] = typeof value === "string" ? value : value.join(", ");
    }
  }
  return joined;
}

/** Why we ended a request ourselves; carries a word instead of a text. */
class Reason extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** The code of a system, TLS or undici error; never its text, which could quote what was sent. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return reasonOf(error.errors[0]);
  }
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof Error ? error.name : "unknown";
}
