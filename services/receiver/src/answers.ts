import type { FastifyReply } from "fastify";

/** Everything that a sender is told besides 202. Never 429, 500 or 502: several senders do not retry those. */
const problems = {
  unauthorized: { status: 401, title: "The token is missing or wrong" },
  not_found: { status: 404, title: "There is no such integration" },
  body_too_large: { status: 413, title: "The body is too large; its head is kept as a dead letter" },
  too_many_items: { status: 413, title: "Too many alerts in one delivery; its head is kept as a dead letter" },
  queue_full: { status: 503, title: "Too much is waiting to be stored; send it again" },
  unavailable: { status: 503, title: "The delivery could not be stored; send it again" },
  starting: { status: 503, title: "Not ready yet; send it again" },
} as const;

export type ProblemCode = keyof typeof problems;

/** What is done beside the answer for one kind of refusal. */
export interface ProblemOptions {
  readonly retryAfterS?: number;
}

/** Answers with an RFC 9457 problem. */
export function problem(reply: FastifyReply, code: ProblemCode, options: ProblemOptions = {}): FastifyReply {
  const { status, title } = problems[code];
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="winnow", Basic realm="winnow"');
  if (status === 503) reply.header("retry-after", String(options.retryAfterS ?? retryAfterS));
  return reply
    .code(status)
    .header("content-type", "application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title, status, code }));
}

/** Default Retry-After, seconds. */
const retryAfterS = 5;
