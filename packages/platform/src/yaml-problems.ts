/** Everything that a check of a YAML text can find; stable, for programs. */
export type ProblemCode =
  | "yaml_syntax"
  | "yaml_too_large"
  | "yaml_too_deep"
  | "yaml_too_many_aliases"
  | "duplicate_key"
  | "unknown_key"
  | "missing_key"
  | "wrong_type"
  | "bad_value"
  | "inline_secret"
  | "variable_unset"
  | "unreadable"
  | "unknown_name"
  | "conflict"
  | "bad_pattern"
  | "unreachable"
  | "suspicious";

/** One finding, pointing at its place. `line` and `column` start at 1. */
export interface YamlProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Such as `destinations.snow.mode` or `rules[2].match`; empty for the whole text. */
  readonly path: string;
  readonly message: string;
  /** What to write instead; null when there is nothing to suggest. */
  readonly hint: string | null;
  readonly code: ProblemCode;
}

export type PathPart = string | number;

/** Writes `["rules", 2, "match", "labels.team"]` as `rules[2].match["labels.team"]`. */
export function formatPath(path: readonly PathPart[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/**
 * Renders findings for people, each with its line and a caret below the place:
 *
 *     winnow.yaml:3:1: unknown key "listn" (unknown_key)
 *       3 | listn: 127.0.0.1:8080
 *         | ^
 *       hint: did you mean "listen"?
 *
 * `source` is the text, or texts by file name. Inline secrets are masked on every line they stand on.
 */
export function formatErrors(problems: readonly YamlProblem[], source: string | ReadonlyMap<string, string>): string {
  const lines = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    const text = typeof source === "string" ? source : (source.get(file) ?? "");
    const known = lines.get(file) ?? text.split(/\r\n|\n|\r/);
    lines.set(file, known);
    return known;
  };
  const masks = secretColumns(problems);
  return problems.map((problem) => frame(problem, linesOf(problem.file), masks)).join("\n");
}

/** Longest part of a source line that is shown. */
const shownWidth = 120;

/** A value behind a key that sounds like a secret: masked even where the key itself is the mistake. */
const secretLike = /((?:pass|secret|token|bearer|credential|api_?key)[\w-]*["']?[ \t]*:[ \t]*)(?![{[&*\s]).+/i;

function frame(problem: YamlProblem, lines: readonly string[], masks: ReadonlyMap<string, number>): string {
  const head = `${problem.file}:${problem.line}:${problem.column}: ${problem.message} (${problem.code})`;
  const rows = [head];
  const line = lines[problem.line - 1];
  if (line !== undefined && line.trim() !== "") {
    const mask = masks.get(`${problem.file}:${problem.line}`);
    const safe = (mask === undefined ? line : `${line.slice(0, mask - 1)}****`).replace(secretLike, "$1****");
    const from = Math.max(0, problem.column - 1 - (shownWidth - 20));
    const number = String(problem.line);
    rows.push(`  ${number} | ${printable(safe.slice(from, from + shownWidth))}`);
    // Tabs stay tabs, so that the caret stands below its place whatever their width.
    const indent = safe.slice(from, problem.column - 1).replace(/[^\t]/g, " ");
    rows.push(`  ${" ".repeat(number.length)} | ${indent}^`);
  }
  if (problem.hint !== null) rows.push(`  hint: ${problem.hint}`);
  return rows.join("\n");
}

/** Control characters would let a file write to the terminal that shows its errors. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t]/gu, "\ufffd");
}

function secretColumns(problems: readonly YamlProblem[]): ReadonlyMap<string, number> {
  const columns = new Map<string, number>();
  for (const problem of problems) {
    if (problem.code !== "inline_secret") continue;
    const key = `${problem.file}:${problem.line}`;
    columns.set(key, Math.min(problem.column, columns.get(key) ?? problem.column));
  }
  return columns;
}

/** The name that was most likely meant, or null when none is near. Case counts for nothing. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (word.length > 64) return null;
  const lower = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of known) {
    if (Math.abs(name.length - word.length) >= bestDistance) continue;
    const distance = editDistance(lower, name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** `did you mean "x"?`, or the known names when none is near. */
export function suggest(word: string, known: readonly string[], what = "known"): string | null {
  const near = nearest(word, known);
  if (near !== null) return `did you mean "${near}"?`;
  if (known.length === 0) return null;
  const shown = known.slice(0, 20).join(", ");
  return `${what}: ${shown}${known.length > 20 ? ` and ${known.length - 20} more` : ""}`;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, at(before, column - 2) + 1);
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return at(previous, right.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
