import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import t, { type Test } from "tap";
import { hasCode } from "../src/errors.ts";
import { createHttpClient, type HttpRequest } from "../src/http-client.ts";

const tls = (name: string): string => readFileSync(new URL(`fixtures/tls/${name}`, import.meta.url), "utf8");
const loopback = ["127.0.0.0/8"];

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function serve(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  const port = await listen(t, server);
  t.teardown(() => server.closeAllConnections());
  return `http://127.0.0.1:${port}`;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function client(
  t: Test,
  options: { allowNetworks?: string[]; ca?: string; maxResponseBytes?: number; connections?: number } = {},
) {
  const made = createHttpClient({ allowNetworks: loopback, connectTimeoutMs: 2000, ...options });
  t.teardown(() => made.close());
  return made;
}

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "GET",
  url,
  timeoutMs: 5000,
  ...more,
});

await t.test("a request carries method, headers and body, and the answer comes back whole", async (t) => {
  const url = await serve(t, (request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      response.writeHead(201, { "X-Two": ["a", "b"] });
      response.end(`${request.method} ${request.url} ${String(request.headers["x-one"])} ${body}`);
    });
  });
  const answer = await client(t).request({
    ...get(`${url}/p?q=ü`),
    method: "POST",
    headers: { "X-One": "1" },
    body: "grüße",
  });
  t.equal(answer.status, 201);
  t.equal(answer.text, "POST /p?q=%C3%BC 1 grüße");
  t.equal(answer.headers["x-two"], "a, b");
});

await t.test("no literal form of a private address gets through", async (t) => {
  const url = await serve(t, (_request, response) => response.end("reached"));
  const { port } = new URL(url);
  const guarded = client(t, { allowNetworks: [] });
  for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "localhost"]) {
    const error = await failure(guarded.request(get(`http://${host}:${port}/`)));
    t.ok(hasCode(error, "address_refused"), `${host} is refused`);
  }
  t.equal((await client(t).request(get(`http://2130706433:${port}/`))).text, "reached", "an allowed network is not");
});

await t.test("a redirect is an answer like any other", async (t) => {
  let requests = 0;
  const url = await serve(t, (_request, response) => {
    requests += 1;
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  t.equal((await client(t).request(get(url))).status, 302);
  t.equal(requests, 1);
});

await t.test("a refused connection, an unknown name and failed TLS count as not sent", async (t) => {
  const closed = createTcpServer();
  const port = await listen(t, closed);
  closed.close();
  await once(closed, "close");
  const plain = await serve(t, (_request, response) => response.end());
  for (const url of [`http://127.0.0.1:${port}/`, "http://no-such-host.invalid/", plain.replace("http:", "https:")]) {
    const error = await failure(client(t).request(get(url)));
    t.ok(hasCode(error, "http_not_sent"), `${url}: ${String(error)}`);
  }
});

await t.test("a certificate is checked, and a CA of one's own can be trusted", async (t) => {
  const server = createTlsServer({ key: tls("server.key"), cert: tls("server.pem") }, (_request, response) =>
    response.end("safe"),
  );
  const url = `https://127.0.0.1:${await listen(t, server)}/`;
  t.ok(hasCode(await failure(client(t).request(get(url))), "http_not_sent"));
  t.equal((await client(t, { ca: tls("ca.pem") }).request(get(url))).text, "safe");
});

await t.test("a connection cut after the request went out is ambiguous, and the request is not repeated", async (t) => {
  let requests = 0;
  const url = await serve(t, (request) => {
    requests += 1;
    request.socket.destroy();
  });
  const error = await failure(client(t).request(get(url)));
  t.ok(hasCode(error, "http_failed"));
  t.equal(requests, 1);
});

await t.test("a request without an answer ends at its time limit, as ambiguous", async (t) => {
  const url = await serve(t, () => undefined);
  t.ok(hasCode(await failure(client(t).request(get(url, { timeoutMs: 50 }))), "http_failed"));
});

await t.test("a request that is aborted before it was written was not sent, afterwards it is ambiguous", async (t) => {
  const stop = new AbortController();
  const url = await serve(t, () => stop.abort());
  const early = AbortSignal.abort();
  t.ok(hasCode(await failure(client(t).request(get(url, { signal: early }))), "http_not_sent"));
  t.ok(hasCode(await failure(client(t).request(get(url, { signal: stop.signal }))), "http_failed"));
});

await t.test("beforeSend is asked with the connection open, and false sends nothing", async (t) => {
  const seen: string[] = [];
  const connections: Socket[] = [];
  const server = createTcpServer((socket) => {
    connections.push(socket);
    socket
      .on("close", () => ended.resolve())
      .on("data", (data) => seen.push(data.toString()))
      .on("error", () => undefined);
  });
  const ended = Promise.withResolvers<void>();
  const port = await listen(t, server);
  const error = await failure(client(t).request(get(`http://127.0.0.1:${port}/`, { beforeSend: () => false })));
  await ended.promise;
  t.ok(hasCode(error, "http_not_sent"));
  t.equal(connections.length, 1, "it had connected");
  t.strictSame(seen, [], "and wrote nothing");
});

await t.test("a connection is used again, and beforeSend is asked on each request", async (t) => {
  const ports = new Set<number | undefined>();
  const url = await serve(t, (request, response) => {
    ports.add(request.socket.remotePort);
    response.end();
  });
  let asked = 0;
  const beforeSend = (): boolean => (asked += 1) > 0;
  const kept = client(t, { connections: 1 });
  await kept.request(get(url, { beforeSend }));
  await kept.request(get(url, { beforeSend }));
  t.equal(ports.size, 1);
  t.equal(asked, 2);
});

await t.test("a response of exactly the limit is taken, one byte more is ambiguous", async (t) => {
  const url = await serve(t, (request, response) => response.end("x".repeat(Number(request.url?.slice(1)))));
  const limited = client(t, { maxResponseBytes: 1000 });
  t.equal((await limited.request(get(`${url}/1000`))).text.length, 1000);
  t.ok(hasCode(await failure(limited.request(get(`${url}/1001`))), "http_failed"));
});

await t.test("no secret from URL, headers or body gets into an error", async (t) => {
  const url = await serve(t, (request) => void request.socket.destroy());
  const secret = "s3cr3t";
  const request = {
    ...get(`${url.replace("//", `//user:${secret}@`)}/${secret}?token=${secret}`),
    method: "POST" as const,
    headers: { Authorization: secret },
    body: secret,
  };
  for (const headers of [{ Authorization: secret }, { Authorization: `${secret}\r\nbad` }]) {
    const error = await failure(client(t).request({ ...request, headers }));
    t.ok(error instanceof Error && !JSON.stringify([error.message, error.stack, error]).includes(secret));
  }
});
