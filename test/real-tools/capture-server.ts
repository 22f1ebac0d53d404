import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface CapturedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CaptureServer {
  readonly url: string;
  readonly requests: readonly CapturedRequest[];
  /** The first request, of those here and those to come, for which `test` holds. */
  arrival(what: string, test: (request: CapturedRequest) => boolean): Promise<CapturedRequest>;
  stop(): Promise<void>;
}

const ARRIVAL_TIMEOUT_MS = 60_000;

/** A server on a port of the system's choice that answers everything with 200 and keeps it. */
export async function startCaptureServer(): Promise<CaptureServer> {
  const requests: CapturedRequest[] = [];
  const waiters = new Set<(request: CapturedRequest) => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const captured = { method, path, headers, body: Buffer.concat(chunks).toString("utf8") };
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
      requests.push(captured);
      for (const tell of waiters) {
        tell(captured);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    arrival: (what, test) => {
      const here = requests.find(test);
      if (here !== undefined) {
        return Promise.resolve(here);
      }
      return new Promise((resolve, reject) => {
        const tell = (request: CapturedRequest): void => {
          if (test(request)) {
            waiters.delete(tell);
            clearTimeout(timer);
            resolve(request);
          }
        };
        const timer = setTimeout(() => {
          waiters.delete(tell);
          const seen = requests.map(({ method, path, body }) => `${method} ${path} ${body.slice(0, 300)}`);
          reject(new Error(`${what} did not arrive; these did:\n${seen.join("\n")}`));
        }, ARRIVAL_TIMEOUT_MS);
        waiters.add(tell);
      });
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
