import type { TimelineEntry } from "@winnow/contracts";
import { arraysOf, type Column, chunksOf, inputOf, namesOf } from "./engine/columns.ts";
import type { Statements } from "./engine/postgres.ts";

/** A numbered row on its way into the store. */
export interface TimelineInput {
  /** Integer id of the incident's row. */
  readonly incident: number;
  readonly seq: number;
  readonly entry: TimelineEntry;
}

const columns: readonly Column<TimelineInput>[] = [
  { name: "incident", type: "bigint", of: ({ incident }) => incident },
  { name: "seq", type: "bigint", of: ({ seq }) => seq },
  { name: "kind", type: "text", of: ({ entry }) => entry.kind },
  { name: "at_ms", type: "bigint", of: ({ entry }) => entry.at_ms },
  { name: "actor", type: "text", of: ({ entry }) => entry.actor },
  { name: "note", type: "text", of: ({ entry }) => entry.text ?? null },
  { name: "fingerprint", type: "text", of: ({ entry }) => entry.fingerprint ?? null },
  { name: "reason_code", type: "text", of: ({ entry }) => entry.reason.code },
  { name: "reason_text", type: "text", of: ({ entry }) => entry.reason.text },
  { name: "rule_id", type: "text", of: ({ entry }) => entry.reason.rule_id ?? null },
  { name: "body", type: "text", of: ({ entry }) => JSON.stringify(entry) },
];

const INSERT = `INSERT INTO timeline (${namesOf(columns)}) SELECT ${namesOf(columns)} FROM ${inputOf(columns)}`;

/** Adds rows whose numbers were taken from their incidents, which the transaction holds locked. */
export async function insertTimeline(statements: Statements, rows: readonly TimelineInput[]): Promise<void> {
  for (const chunk of chunksOf(rows)) await statements.change(INSERT, arraysOf(columns, chunk));
}
