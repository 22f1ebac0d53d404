/** The last line of every test run, in one place: whoever prints it and whoever reads it agree. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function formatTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export function parseTally(line: string): Tally | undefined {
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
  if (match === null) {
    return undefined;
  }
  return { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]) };
}
