import { type Buffer, isUtf8 } from "node:buffer";
import type { MappingWarning } from "@winnow/contracts";

export interface DecodedText {
  readonly text: string;
  readonly warning: MappingWarning | null;
}

/**
 * Bytes to text: byte order mark, else the declared charset, else UTF-16 by its zero bytes, else UTF-8, else
 * Windows-1252 with a warning. Never fails: what cannot be read is better read roughly than lost.
 */
export function decodeText(bytes: Buffer, charset: string | undefined): DecodedText {
  const marked = byMark(bytes);
  if (marked !== null) return { text: marked, warning: null };
  if (charset !== undefined && !isUtf8Name(charset)) return declared(bytes, charset);
  const wide = wideEncoding(bytes);
  if (wide !== null) return { text: decodeAs(bytes, wide) ?? latin(bytes), warning: null };
  return utf8OrLatin(bytes);
}

function isUtf8Name(charset: string): boolean {
  const name = charset.toLowerCase();
  return name === "utf-8" || name === "utf8" || name === "us-ascii";
}

/** Text behind a byte order mark, without it; null when there is none. */
function byMark(bytes: Buffer): string | null {
  const first = bytes[0] ?? 0;
  if (first < 0xef) return null;
  const second = bytes[1];
  if (first === 0xef && second === 0xbb && bytes[2] === 0xbf) return bytes.toString("utf8", 3);
  if (first === 0xff && second === 0xfe) return decodeAs(bytes.subarray(2), "utf-16le");
  if (first === 0xfe && second === 0xff) return decodeAs(bytes.subarray(2), "utf-16be");
  return null;
}

function declared(bytes: Buffer, charset: string): DecodedText {
  // JSON and forms in UTF-16 are full of zeros; without one the label is wrong, as it is with some .NET senders.
  const isMislabelled = charset.toLowerCase().startsWith("utf-16") && !bytes.includes(0);
  const text = isMislabelled ? null : decodeAs(bytes, charset);
  if (text !== null) return { text, warning: null };
  const { text: guessed } = utf8OrLatin(bytes);
  return { text: guessed, warning: warning("charset_unusable", "the body is not in the charset that it declares") };
}

/** JSON and forms begin with an ASCII character: a zero beside it tells UTF-16. */
function wideEncoding(bytes: Buffer): "utf-16le" | "utf-16be" | null {
  if (bytes.length < 2 || bytes.length % 2 !== 0) return null;
  if (bytes[0] === 0 && bytes[1] !== 0) return "utf-16be";
  return bytes[1] === 0 && bytes[0] !== 0 ? "utf-16le" : null;
}

function utf8OrLatin(bytes: Buffer): DecodedText {
  if (isUtf8(bytes)) return { text: bytes.toString("utf8"), warning: null };
  return {
    text: latin(bytes),
    warning: warning("charset_guess", "the body is not UTF-8 and was read as Windows-1252"),
  };
}

function latin(bytes: Buffer): string {
  return new TextDecoder("windows-1252").decode(bytes);
}

/** null when the charset is unknown or the bytes are not in it. */
function decodeAs(bytes: Buffer, charset: string): string | null {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function warning(code: string, message: string): MappingWarning {
  return { code, path: "", message };
}
