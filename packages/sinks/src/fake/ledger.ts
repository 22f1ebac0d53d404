import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** One committed change at a fake vendor. Further keys are the vendor's own fields, flat. */
export interface LedgerEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly op: string;
  /** `api` for what a client asked for, `fault` for what a fault did. */
  readonly by: "api" | "fault";
  readonly [field: string]: unknown;
}

export type Change = { readonly op: string; readonly by: LedgerEntry["by"] } & Readonly<Record<string, unknown>>;

/**
 * Append-only record of what a fake has committed; with a file, one JSON line per entry, written before the client
 * gets its answer. Entries already in the file are read back, so that a fake goes on where it stopped.
 */
export class Ledger {
  readonly #entries: LedgerEntry[];
  readonly #file: string | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(file: string | undefined) {
    this.#file = file;
    this.#entries = file === undefined || !existsSync(file) ? [] : readEntries(file);
  }

  entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  append(change: Change): LedgerEntry {
    const { op, by, ...fields } = change;
    const entry = { seq: this.#entries.length + 1, at: new Date().toISOString(), op, by, ...fields };
    if (this.#file !== undefined) {
      appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
    }
    this.#entries.push(entry);
    for (const look of this.#waiting) {
      look();
    }
    return entry;
  }

  /** Resolves as soon as the ledger is as `isSo` wants it. */
  until(isSo: (entries: readonly LedgerEntry[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSo(this.#entries)) {
          this.#waiting.delete(look);
          resolve();
        }
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** A last line without its line end was cut by a crash and had not been answered: it does not count. */
function readEntries(file: string): LedgerEntry[] {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as LedgerEntry);
}
