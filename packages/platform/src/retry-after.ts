/**
 * Reads a `Retry-After` value: seconds, an HTTP date, or an ISO 8601 date (Zoom sends those for daily limits).
 * Returns ms from now, at most `maxMs`; a date in the past gives 0; negative or unreadable gives undefined.
 */
export function parseRetryAfter(
  value: string | undefined,
  options: { readonly nowMs: number; readonly maxMs: number },
): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    return Math.min(Math.ceil(Number(text) * 1000), options.maxMs);
  }
  // Date.parse takes nearly anything ("-5" is a month): only what begins like one of the two date forms is tried.
  if (!/^(?:[A-Za-z]{3,9},? |\d{4}-\d{2}-\d{2})/.test(text)) {
    return undefined;
  }
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(at - options.nowMs, 0), options.maxMs);
}
