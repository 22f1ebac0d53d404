import { faultKinds } from "./faults.ts";
import { type FakeOptions, type FakeServer, parseJson, startFakeServer } from "./server.ts";

const dataFaults = ["unrelated_row", "two_rows", "search_lag", "closed"];

/**
 * Captures whatever is sent: `POST` and `PUT` on any path are committed as `op: "receive"` with method, path, the
 * `webhook-id` header as `id`, and the body (parsed where it is JSON). `GET` answers 200 and commits nothing.
 */
export async function startFakeWebhook(options: FakeOptions): Promise<FakeServer> {
  return await startFakeServer(options, (ledger) => ({
    faults: faultKinds.filter((kind) => !dataFaults.includes(kind)),
    operationOf: (request) => (isWrite(request.method) ? "create" : "read"),
    handle(request) {
      if (isWrite(request.method)) {
        const id = request.headers["webhook-id"] ?? null;
        const body = parseJson(request.text) ?? request.text;
        ledger.append({ op: "receive", by: "api", method: request.method, path: request.url.pathname, id, body });
      }
      return { status: 200, body: { ok: true } };
    },
    error: (status) => ({ status, body: { error: `status ${status}` } }),
  }));
}

function isWrite(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
