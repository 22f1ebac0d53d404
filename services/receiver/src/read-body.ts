import type { IncomingMessage } from "node:http";
import type { Place } from "./pending.ts";

export type ReadBody =
  | { readonly kind: "whole" | "head"; readonly bytes: Buffer }
  /** No room for it. */
  | { readonly kind: "no_room" }
  /** The sender went away, or took too long. */
  | { readonly kind: "aborted" };

/**
 * Reads a body of any content type into one buffer, at most `bytesMax`. Of a larger one the head is kept; the rest is
 * let run out unread, so that the sender gets to see the answer. `done` is called exactly once.
 */
export function readBody(
  stream: IncomingMessage,
  bytesMax: number,
  place: Place,
  done: (body: ReadBody) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const finish = (body: ReadBody): void => {
    stream.off("data", onData);
    stream.off("end", onEnd);
    stream.off("close", onClose);
    if (body.kind !== "whole") stream.resume();
    done(body);
  };
  const onData = (chunk: Buffer): void => {
    if (!place.grow(chunk.length)) {
      finish({ kind: "no_room" });
      return;
    }
    chunks.push(chunk);
    length += chunk.length;
    if (length > bytesMax) finish({ kind: "head", bytes: joined(chunks, bytesMax) });
  };
  const onEnd = (): void => {
    finish({ kind: "whole", bytes: joined(chunks, length) });
  };
  const onClose = (): void => {
    finish({ kind: "aborted" });
  };
  stream.on("data", onData);
  stream.on("end", onEnd);
  stream.on("close", onClose);
  // An error is always followed by "close", where it is dealt with.
  stream.on("error", () => undefined);
}

/** A copy: chunks are views of the socket's own buffer. */
function joined(chunks: readonly Buffer[], length: number): Buffer {
  return Buffer.concat(chunks, length);
}
