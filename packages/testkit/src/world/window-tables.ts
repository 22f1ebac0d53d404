import { assert } from "@winnow/platform";
import type {
  Claim,
  CommitMeta,
  CommitResult,
  Deadline,
  Loaded,
  Refusal,
  StagePartition,
  StateCommit,
  StateRow,
} from "@winnow/ports";

/** How a window store may be wrong: planted faults of the tests of the test. */
export interface WindowFlaws {
  /** A commit is taken wherever the stored position lies at or below `previous`, instead of exactly there. */
  readonly takesLaterPrevious: boolean;
  /** Loads ask neither for the token nor for the position. */
  readonly loadsUnfenced: boolean;
  /** Deleted states stay. */
  readonly keepsDeleted: boolean;
}

export const soundWindows: WindowFlaws = { takesLaterPrevious: false, loadsUnfenced: false, keepsDeleted: false };

interface Table {
  token: string | null;
  meta: CommitMeta | null;
  rows: Map<string, StateRow>;
}

/** A copy of everything, as a backup of the file would be. */
export type WindowSnapshot = ReadonlyMap<string, Readonly<Table>>;

/** What a window store holds durably. Every method is one transaction. */
export class WindowTables {
  readonly #flaws: WindowFlaws;
  #tables = new Map<string, Table>();

  constructor(flaws: WindowFlaws = soundWindows) {
    this.#flaws = flaws;
  }

  claim(at: StagePartition, token: string): Claim {
    const table = this.#table(at);
    table.token = token;
    const deadlines: Deadline[] = [];
    for (const { key, deadline_ms } of table.rows.values())
      if (deadline_ms !== null) deadlines.push({ key, deadline_ms });
    return { meta: table.meta, deadlines };
  }

  load(at: StagePartition, token: string, position: number, keys: readonly string[]): Loaded {
    const refusal = this.#flaws.loadsUnfenced ? null : this.#refusal(at, token, position);
    return refusal ?? { rows: this.peek(at, keys) };
  }

  commit(at: StagePartition, token: string, previous: number, commit: StateCommit): CommitResult {
    const refusal = this.#refusal(at, token, previous);
    if (refusal !== null && !(this.#flaws.takesLaterPrevious && this.#isBehind(at, token, previous))) return refusal;
    for (const change of commit.changes) assert(Number.isInteger(change.changed_at), "changed_at is a position");
    const table = this.#table(at);
    table.meta = commit.meta;
    for (const { key, value, ...rest } of commit.changes)
      if (value !== null) table.rows.set(key, { key, value, ...rest });
      else if (!this.#flaws.keepsDeleted) table.rows.delete(key);
    return { committed: true };
  }

  verify(at: StagePartition, token: string, position: number): boolean {
    return this.#refusal(at, token, position) === null;
  }

  meta(at: StagePartition): CommitMeta | null {
    return this.#table(at).meta;
  }

  rows(at: StagePartition): ReadonlyMap<string, StateRow> {
    return this.#table(at).rows;
  }

  peek(at: StagePartition, keys: readonly string[]): StateRow[] {
    const { rows } = this.#table(at);
    return keys.map((key) => rows.get(key)).filter((row) => row !== undefined);
  }

  scan(
    at: StagePartition,
    range: { readonly prefix: string; readonly after: string | null; readonly limit: number },
  ): StateRow[] {
    const { prefix, after, limit } = range;
    return [...this.#table(at).rows.values()]
      .filter((row) => row.key.startsWith(prefix) && (after === null || row.key > after))
      .toSorted((left, right) => (left.key < right.key ? -1 : 1))
      .slice(0, limit);
  }

  snapshot(): WindowSnapshot {
    return copied(this.#tables);
  }

  /** Puts an older copy, or with null nothing, in the place of everything, or of one partition alone. */
  restore(snapshot: WindowSnapshot | null, only?: StagePartition): void {
    const copy = copied(snapshot ?? new Map<string, Table>());
    if (only === undefined) {
      this.#tables = copy;
      return;
    }
    const name = nameOf(only);
    const table = copy.get(name);
    if (table === undefined) this.#tables.delete(name);
    else this.#tables.set(name, table);
  }

  #refusal(at: StagePartition, token: string, position: number): Refusal | null {
    const table = this.#table(at);
    if (table.token !== token) return { refused: "fenced" };
    return (table.meta?.position ?? 0) === position ? null : { refused: "position" };
  }

  #isBehind(at: StagePartition, token: string, previous: number): boolean {
    const table = this.#table(at);
    return table.token === token && (table.meta?.position ?? 0) <= previous;
  }

  #table(at: StagePartition): Table {
    const name = nameOf(at);
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = { token: null, meta: null, rows: new Map() };
      this.#tables.set(name, table);
    }
    return table;
  }
}

function nameOf(at: StagePartition): string {
  return `${at.stage}.${at.partition}`;
}

function copied(tables: WindowSnapshot): Map<string, Table> {
  return new Map([...tables].map(([name, table]) => [name, { ...table, rows: new Map(table.rows) }]));
}
