import { WinnowError } from "@winnow/platform";
import { DatabaseError } from "pg";

/**
 * Where a call was when it failed:
 * `before` = nothing that could stay was sent yet, or the statement's transaction was never told to commit;
 * `write` = a statement that commits by itself; `commit` = the COMMIT of a transaction.
 */
export type Phase = "before" | "write" | "commit";

/** Two first characters of an SQLSTATE: Postgres says an ERROR, and the transaction is taken back. */
const TAKEN_BACK: Readonly<Record<Exclude<Phase, "before">, ReadonlySet<string>>> = {
  write: new Set(["0A", "22", "23", "25", "40", "42", "53", "54", "55", "P0"]),
  // A commit can still fail on a deferred constraint or a conflict. Anything else may have struck behind it.
  commit: new Set(["22", "23", "40"]),
};
/** Class 40, and yet "it is unknown whether the statement was done". */
const COMPLETION_UNKNOWN = "40003";
/** A statement that took too long, or was cancelled by an administrator: an ERROR of class 57. */
const CANCELLED = "57014";
const FORBIDDEN = "42501";
/** The row or the statement is wrong, and it will be wrong again: the caller's mistake. */
const MISTAKES: ReadonlySet<string> = new Set(["0A", "22", "23", "42", "54"]);

/** The SQLSTATE that Postgres gave, null where the failure is not of its saying. */
export function stateOf(error: unknown): string | null {
  return error instanceof DatabaseError ? (error.code ?? null) : null;
}

/** True when Postgres itself said that nothing of it was done, and the connection is as good as before. */
export function isTakenBack(error: unknown, phase: Phase): boolean {
  const state = stateOf(error);
  if (state === null || state === COMPLETION_UNKNOWN) return false;
  if (state === CANCELLED) return phase !== "commit";
  return TAKEN_BACK[phase === "before" ? "write" : phase].has(state.slice(0, 2));
}

/**
 * What a caller is told: WinnowError `store_unavailable` when nothing was done, `store_unknown` when it may have been,
 * a plain Error for a row that cannot be stored. The server's detail, which quotes rows, stays out of it.
 */
export function toError(error: unknown, phase: Phase): Error {
  const state = stateOf(error);
  const said = error instanceof Error ? error.message : String(error);
  const isDefinite = phase === "before" || isTakenBack(error, phase);
  if (state !== null && isDefinite && state !== FORBIDDEN && MISTAKES.has(state.slice(0, 2))) {
    return new Error(`Postgres: ${said}`, { cause: error });
  }
  const fields = state === null ? {} : { sqlstate: state };
  return isDefinite
    ? new WinnowError("store_unavailable", `Postgres: ${said}`, { cause: error, fields })
    : new WinnowError("store_unknown", `Postgres may have done it: ${said}`, { cause: error, fields });
}
