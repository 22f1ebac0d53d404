import type { FastifyReply } from "fastify";

/** One finding in a text that was judged. */
export interface ProblemItem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint: string | null;
}

const titles = {
  bad_request: { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "A bearer token is needed, or the one given is wrong" },
  forbidden: { status: 403, title: "The token's scopes do not allow this" },
  not_found: { status: 404, title: "There is no such thing" },
  conflict: { status: 409, title: "It does not fit the present state" },
  rules_invalid: { status: 422, title: "The rules have errors" },
  config_invalid: { status: 422, title: "The configuration has errors; the one in force stays" },
  body_too_large: { status: 413, title: "The body is too large" },
  internal: { status: 500, title: "Something failed here" },
  unavailable: { status: 503, title: "Not available just now; try again" },
} as const;

export type ConsoleProblemCode = keyof typeof titles;

/** Answers with an RFC 9457 problem, `code` beside the standard members. */
export function sendProblem(
  reply: FastifyReply,
  code: ConsoleProblemCode,
  detail?: string,
  errors?: readonly ProblemItem[],
): FastifyReply {
  const { status, title } = titles[code];
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="winnow"');
  if (status === 503) reply.header("retry-after", "2");
  return reply
    .code(status)
    .header("content-type", "application/problem+json")
    .send(
      JSON.stringify({
        type: "about:blank",
        title,
        status,
        code,
        ...(detail === undefined ? {} : { detail }),
        ...(errors === undefined ? {} : { errors }),
      }),
    );
}
