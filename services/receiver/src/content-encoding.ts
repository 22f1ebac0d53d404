import { promisify } from "node:util";
import { gunzip, inflate, inflateRaw } from "node:zlib";
import type { ReceiverLimits } from "./limits.ts";

const gunzipAsync = promisify(gunzip);
const inflateAsync = promisify(inflate);
const inflateRawAsync = promisify(inflateRaw);

export type Inflated =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly fault: "encoding_unsupported" | "encoding_invalid" | "body_too_large" };

/** True when the header names a coding at all. */
export function isEncoded(contentEncoding: string | undefined): contentEncoding is string {
  if (contentEncoding === undefined) return false;
  const coding = contentEncoding.trim().toLowerCase();
  return coding !== "" && coding !== "identity";
}

/**
 * Undoes one layer of gzip or deflate, off the event loop. A result beyond the body limit, or beyond `inflateRatio`
 * times its input once it is larger than `inflateFreeBytes`, is a bomb: the work ends there.
 */
export async function inflateBody(bytes: Buffer, contentEncoding: string, limits: ReceiverLimits): Promise<Inflated> {
  const coding = contentEncoding.trim().toLowerCase();
  const byRatio = Math.max(limits.inflateFreeBytes, bytes.length * limits.inflateRatio);
  const options = { maxOutputLength: Math.min(limits.bodyBytes, byRatio) };
  try {
    if (coding === "gzip" || coding === "x-gzip") return { ok: true, bytes: await gunzipAsync(bytes, options) };
    if (coding === "deflate") return { ok: true, bytes: await inflateEither(bytes, options) };
  } catch (error) {
    return { ok: false, fault: isTooLarge(error) ? "body_too_large" : "encoding_invalid" };
  }
  return { ok: false, fault: "encoding_unsupported" };
}

/** "deflate" means zlib's format by the standard and the bare one by habit (RFC 9110, 8.4.1.2). */
async function inflateEither(bytes: Buffer, options: { maxOutputLength: number }): Promise<Buffer> {
  const zlibHeader = ((bytes[0] ?? 0) & 0x0f) === 8 && (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % 31 === 0;
  return zlibHeader ? inflateAsync(bytes, options) : inflateRawAsync(bytes, options);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
