import type { DeadLetterNote } from "@winnow/contracts";
import type { DecisionContext } from "./stage.ts";

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** UTF-8 bytes of text; core has no TextEncoder. Lone surrogates become U+FFFD. */
function utf8Bytes(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

function base64(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second, third] = bytes.slice(at, at + 3);
    text += base64Digits[first >> 2];
    text += base64Digits[((first & 3) << 4) | ((second ?? 0) >> 4)];
    text += second === undefined ? "=" : base64Digits[((second & 15) << 2) | ((third ?? 0) >> 6)];
    text += third === undefined ? "=" : base64Digits[third & 63];
  }
  return text;
}

/** The dead letter of something that could not be decided: its JSON text, whole, and why. */
export function deadLetterOf(
  item: unknown,
  error: string,
  context: Pick<DecisionContext, "now" | "origin" | "hash">,
): DeadLetterNote {
  const text = JSON.stringify(item) ?? "null";
  const bytes = utf8Bytes(text);
  const { partition, offset, index } = context.origin;
  const integration = typeof item === "object" && item !== null && "integration" in item ? item.integration : "";
  return {
    type: "dead_letter",
    id: `dl_${context.hash(`${partition} ${offset} ${index} ${text}`).slice(0, 24)}`,
    received_ms: context.now,
    integration: typeof integration === "string" ? integration : "",
    reason: { code: "poison", text: error.slice(0, 500) },
    raw_base64: base64(bytes),
    bytes: bytes.length,
    sha256: context.hash(text),
    content_type: "application/json",
  };
}
