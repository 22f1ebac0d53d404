import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What happens to the connection that first sends the awaited bytes. */
export type Cut =
  /** Both sides are cut off; the server never sees them. */
  | "before"
  /** The server gets them and answers; then both sides are cut off, and the client never sees the answer. */
  | "after"
  /** The server gets them and answers, the client sees nothing, and the connection stays open. */
  | "silence"
  /** The server gets them and answers, and the client sees the answer once `release` is called. */
  | "late";

/** A server in front of a Postgres that spoils one connection at a chosen moment. */
export class CutProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #released = Promise.withResolvers<void>();
  #armed: { readonly bytes: string; readonly cut: Cut; readonly done: () => void } | null = null;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** Listens in front of `url`. */
  static async open(url: string): Promise<{ readonly proxy: CutProxy; readonly url: string }> {
    const parsed = new URL(url);
    const proxy = new CutProxy({ host: parsed.hostname, port: Number(parsed.port || 5432) });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    const address = proxy.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has a port");
    parsed.hostname = "127.0.0.1";
    parsed.port = String(address.port);
    return { proxy, url: parsed.href };
  }

  /** The next connection on which a client sends `bytes` is cut; resolves once the server's part of it is over. */
  arm(bytes: string, cut: Cut): Promise<void> {
    return new Promise((resolve) => {
      this.#armed = { bytes, cut, done: resolve };
    });
  }

  /** Lets through what was held back. */
  release(): void {
    this.#released.resolve();
  }

  /** Cuts all connections off. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(client: Socket): void {
    const server = connect(this.#target);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    let answered: ((data: Buffer) => void) | null = null;
    client.on("data", (data: Buffer) => {
      const armed = this.#armed;
      if (armed === null || !data.includes(armed.bytes)) {
        server.write(data);
        return;
      }
      this.#armed = null;
      const end = () => {
        client.destroy();
        server.destroy();
        armed.done();
      };
      if (armed.cut === "before") {
        end();
        return;
      }
      answered = (answer) => {
        if (armed.cut === "after") end();
        else armed.done();
        if (armed.cut !== "late") return;
        void this.#released.promise.then(() => {
          client.write(answer);
          answered = null;
        });
      };
      server.write(data);
    });
    server.on("data", (data: Buffer) => {
      if (answered === null) client.write(data);
      else answered(data);
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }
}
