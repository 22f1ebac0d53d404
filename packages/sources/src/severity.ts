import type { Severity } from "@winnow/contracts";

/** A tool's own word and what Winnow makes of it. `number` is on the OpenTelemetry log scale. */
interface SeverityEntry {
  readonly severity: Severity;
  readonly number?: number;
}

/** Keyed by the tool's words in lower case. */
export type SeverityTable = ReadonlyMap<string, SeverityEntry>;

const bandStart = { critical: 21, error: 17, warning: 13, info: 9, unknown: undefined } as const;

/** Builds a table from rows of words; a row may set a number of its own inside the severity's band. */
export function severityTable(
  rows: readonly { readonly severity: Severity; readonly words: readonly string[]; readonly number?: number }[],
): SeverityTable {
  const table = new Map<string, SeverityEntry>();
  for (const { severity, words, number = bandStart[severity] } of rows)
    for (const word of words) table.set(word, number === undefined ? { severity } : { severity, number });
  return table;
}

/** The draft's severity fields for a word; undefined when the word is in no row. */
export function severityFields(
  table: SeverityTable,
  word: string,
): { severity: Severity; severity_number?: number; severity_source: string } | undefined {
  const entry = table.get(word.trim().toLowerCase());
  if (entry === undefined) return undefined;
  const { severity, number } = entry;
  if (number === undefined) return { severity, severity_source: word };
  return { severity, severity_number: number, severity_source: word };
}
