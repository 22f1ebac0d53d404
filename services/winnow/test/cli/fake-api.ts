import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  readonly method: string;
  /** Path with its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeReply {
  readonly status?: number;
  readonly body: unknown;
  readonly contentType?: string;
}

/** What a route does with a request. */
type Answer = (request: SeenRequest) => FakeReply | "hang up";

/** A stand-in for Winnow's API: answers by method and path, and remembers what it was asked. */
export class FakeApi {
  readonly seen: SeenRequest[] = [];
  readonly #routes = new Map<string, Answer>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeApi> {
    const server = createServer();
    const api = new FakeApi(server);
    server.on("request", (incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        const { method = "", url = "", headers } = incoming;
        const request = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
        api.seen.push(request);
        const reply =
          api.#routes.get(`${method} ${url.split("?")[0]}`)?.(request) ?? problem(404, "There is no such thing");
        if (reply === "hang up") response.destroy();
        else {
          response.writeHead(reply.status ?? 200, { "content-type": reply.contentType ?? "application/json" });
          response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
        }
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers `GET /v1/incidents` and the like. */
  on(route: string, answer: object | Answer): this {
    this.#routes.set(route, typeof answer === "function" ? (answer as Answer) : () => ({ body: answer }));
    return this;
  }

  last(): SeenRequest {
    const request = this.seen.at(-1);
    if (request === undefined) throw new Error("nothing was asked");
    return request;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** An RFC 9457 problem. */
export function problem(status: number, title: string, more: object = {}): FakeReply {
  return { status, contentType: "application/problem+json", body: { type: "about:blank", title, status, ...more } };
}
