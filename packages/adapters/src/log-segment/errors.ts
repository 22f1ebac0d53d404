import { type ErrorFields, WinnowError } from "@winnow/platform";
import { errnoOf } from "./files.ts";

/** Errors of the system that mean "no room", and end by themselves once there is some. */
const fullErrnos = new Set(["ENOSPC", "EDQUOT"]);

/** `log_full` where the disk has no room, else `log_write_failed`. */
export function writeError(error: unknown, doing: string, path: string): WinnowError {
  const errno = errnoOf(error);
  const fields = { file: path, errno, doing };
  if (fullErrnos.has(errno)) return new WinnowError("log_full", `no room left: ${doing}`, { cause: error, fields });
  return new WinnowError("log_write_failed", `the log could not be written: ${doing}`, { cause: error, fields });
}

export function readError(error: unknown, path: string): WinnowError {
  const fields = { file: path, errno: errnoOf(error) };
  return new WinnowError("log_read_failed", "the log could not be read", { cause: error, fields });
}

/** Names the file and byte: what a person needs to look at it. */
export function corruptError(message: string, fields: ErrorFields): WinnowError {
  const where = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
  return new WinnowError("log_corrupt", `${message} (${where.join(", ")}); winnow doctor shows what is left`, {
    fields,
  });
}
