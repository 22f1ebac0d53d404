import { type FastifyInstance, fastify } from "fastify";
import { problem } from "./answers.ts";
import type { ReceiverLimits } from "./limits.ts";

/** Longest integration name or token in a path, characters. */
const pathPartMax = 512;

/**
 * The HTTP server that receiver, console and dialects share, with every time limit said aloud: Fastify's own defaults
 * leave slow bodies and slow headers unlimited. While it closes, requests on open connections are still served; a 503
 * there would lose alerts of senders that do not retry.
 */
export function createHttpServer(limits: ReceiverLimits): FastifyInstance {
  return fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    // Idle time within a connection is bounded by the other limits; event streams stay open for hours.
    connectionTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxRequestsPerSocket: 0,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: pathPartMax },
    http: {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.connectionsCheckMs,
      maxHeaderSize: limits.headerBytes,
    },
    // A path that cannot be decoded or is too long names nothing here.
    frameworkErrors: (_error, _request, reply) => {
      problem(reply, "not_found");
    },
  });
}
