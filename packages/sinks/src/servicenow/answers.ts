import { type HttpResponse, parseRetryAfter, type WinnowError } from "@winnow/platform";
import type { SinkResult } from "@winnow/ports";
import { clip, oneLine } from "../text.ts";

/** Anything but `done`. */
export type Failure = Exclude<SinkResult<never>, { kind: "done" }>;

const retryAfterMsMax = 3_600_000;
const messageMax = 300;

/** JSON under `result`, or undefined: an HTML page (a sleeping instance answers 200 with one) has none. */
export function resultOf(response: HttpResponse): unknown {
  try {
    return (JSON.parse(response.text) as { result?: unknown } | null)?.result;
  } catch {
    return undefined;
  }
}

/** A request that ended without any answer. A read leaves no trace, so it can simply be tried again. */
export function failureOf(error: WinnowError, isWrite: boolean): Failure {
  const { code, message } = error;
  if (isWrite && error.retry === "unknown") {
    return { kind: "unknown", code, message };
  }
  return { kind: "refused", retry: code === "address_refused" ? "auth" : "later", code, message };
}

/**
 * An answer that does not carry what was asked for.
 * 401 pauses the destination; 429 waits as long as told; other 4xx need a person, 403 too: business rules and data
 * policies refuse with it. Everything else is no definite answer to a write.
 */
export function refusalOf(
  response: HttpResponse,
  options: { readonly isWrite: boolean; readonly nowMs: number; readonly redact: (text: string) => string },
): Failure {
  const { status } = response;
  const code = `http_${status}`;
  const message = messageOf(response, options.redact);
  const retryAfterMs = retryAfterOf(response, options.nowMs);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401) {
    return { kind: "refused", retry: "auth", code, message };
  }
  if (status === 429) {
    return { kind: "refused", retry: "later", code, message, ...wait };
  }
  if (status >= 400 && status < 500 && status !== 408) {
    return { kind: "refused", retry: "never", code, message };
  }
  return options.isWrite
    ? { kind: "unknown", code, message }
    : { kind: "refused", retry: "later", code, message, ...wait };
}

function retryAfterOf(response: HttpResponse, nowMs: number): number | undefined {
  const told = parseRetryAfter(response.headers["retry-after"], { nowMs, maxMs: retryAfterMsMax });
  const resetSeconds = Number(response.headers["x-ratelimit-reset"]);
  if (told !== undefined || !(resetSeconds > 0)) {
    return told;
  }
  return Math.min(Math.max(resetSeconds * 1000 - nowMs, 0), retryAfterMsMax);
}

function messageOf(response: HttpResponse, redact: (text: string) => string): string {
  const said = vendorText(response.text);
  const what = `ServiceNow answered ${response.status}`;
  if (said !== "") {
    // Redacted before it is cut: half a secret at the cut would not be recognised.
    return `${what}: ${clip(oneLine(redact(said)), messageMax, "…")}`;
  }
  const isExpected = response.status >= 300 && response.text.trim().startsWith("{");
  return isExpected ? what : `${what} without the JSON of the Table API; is the URL right, and the instance awake?`;
}

function vendorText(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown; detail?: unknown } };
    return [error?.message, error?.detail].filter((part) => typeof part === "string" && part !== "").join(": ");
  } catch {
    return "";
  }
}
