/** One run of characters between two `*`: literal code points, or null for `?`. */
type Run = readonly (string | null)[];

/**
 * Compiles a glob that must match a whole value: `*` is any text, `?` one character, `\` takes the next as it is.
 * Brackets and braces are plain characters. Every run is placed at its leftmost fit, so nothing is ever tried twice:
 * the work is at most the length of the value times the length of the glob.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  const runs = parseGlob(glob);
  const [first = []] = runs;
  if (runs.length === 1) return literalOrNull(first) ?? ((text) => endOfRun(first, text, 0) === text.length);
  const middle = runs.slice(1, -1).filter((run) => run.length > 0);
  const last = runs.at(-1) ?? [];
  return (text) => {
    let position = endOfRun(first, text, 0);
    for (const run of middle) {
      if (position < 0) return false;
      position = findRun(run, text, position);
    }
    return position >= 0 && endsWithRun(last, text, position);
  };
}

function literalOrNull(run: Run): ((text: string) => boolean) | null {
  if (run.includes(null)) return null;
  const literal = run.join("");
  return (text) => text === literal;
}

function parseGlob(glob: string): readonly Run[] {
  const runs: (string | null)[][] = [[]];
  let isEscaped = false;
  for (const character of glob) {
    if (!isEscaped && character === "\\") isEscaped = true;
    else if (!isEscaped && character === "*") runs.push([]);
    else {
      runs.at(-1)?.push(!isEscaped && character === "?" ? null : character);
      isEscaped = false;
    }
  }
  if (isEscaped) runs.at(-1)?.push("\\");
  return runs;
}

/** Where the run ends when it starts at `start`; -1 when it does not fit there. */
function endOfRun(run: Run, text: string, start: number): number {
  let position = start;
  for (const character of run) {
    const code = text.codePointAt(position);
    if (code === undefined) return -1;
    if (character === null) position += code > 0xffff ? 2 : 1;
    else if (text.startsWith(character, position)) position += character.length;
    else return -1;
  }
  return position;
}

/** End of the leftmost fit at or after `start`; -1 for none. */
function findRun(run: Run, text: string, start: number): number {
  for (let position = start; position <= text.length; position = next(text, position)) {
    const end = endOfRun(run, text, position);
    if (end >= 0) return end;
  }
  return -1;
}

/** True when the run fits at the end of the text, beginning at or after `start`. */
function endsWithRun(run: Run, text: string, start: number): boolean {
  let position = text.length;
  // Walks back over as many characters as the run has.
  for (let count = run.length; count > 0; count -= 1) {
    position -= isPairEnd(text, position) ? 2 : 1;
    if (position < start) return false;
  }
  return endOfRun(run, text, position) === text.length;
}

function next(text: string, position: number): number {
  return position + ((text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1);
}

function isPairEnd(text: string, position: number): boolean {
  return position >= 2 && (text.codePointAt(position - 2) ?? 0) > 0xffff;
}
