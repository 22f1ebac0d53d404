import { type Agent, type IncomingMessage, request } from "node:http";
import type { Attempt } from "./history.ts";
import type { Body } from "./payloads.ts";

type Answer = Pick<Attempt, "outcome" | "status" | "retryAfter" | "stored">;

const unheard = { status: null, retryAfter: null, stored: 0 } as const;

/** Never rejects: a broken connection is an answer too. */
export async function post(
  url: string,
  what: { readonly token: string; readonly body: Body; readonly agent: Agent },
): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const asking = request(url, {
    method: "POST",
    agent: what.agent,
    headers: {
      authorization: `Bearer ${what.token}`,
      "content-type": what.body.contentType,
      "content-length": Buffer.byteLength(what.body.text),
    },
  });
  asking.once("error", (error: NodeJS.ErrnoException) => {
    resolve({ ...unheard, outcome: error.code === "ECONNREFUSED" ? "unreachable" : "indeterminate" });
  });
  asking.once("response", (response) => {
    hear(response).then(resolve, () => resolve({ ...unheard, outcome: "indeterminate" }));
  });
  asking.end(what.body.text);
  return promise;
}

/** The status line alone is the promise: a body that breaks off behind a 2xx takes nothing back. */
async function hear(response: IncomingMessage): Promise<Answer> {
  const status = response.statusCode ?? 0;
  const isAcked = status >= 200 && status < 300;
  const retryAfter = response.headers["retry-after"] ?? null;
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) text += chunk as string;
  } catch {
    return { outcome: isAcked ? "acked" : "refused", status, retryAfter, stored: isAcked ? 1 : 0 };
  }
  if (!isAcked) return { outcome: "refused", status, retryAfter, stored: 0 };
  const { accepted, dead_lettered } = JSON.parse(text) as { accepted: number; dead_lettered: number };
  return { outcome: "acked", status, retryAfter, stored: accepted + dead_lettered };
}
