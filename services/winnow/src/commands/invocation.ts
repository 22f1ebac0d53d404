import { usage } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

export const outputFormats = ["table", "wide", "json", "yaml"] as const;
type OutputFormat = (typeof outputFormats)[number];

/** Options that every command has. */
export interface CommonOptions {
  readonly output: OutputFormat;
  readonly url?: string;
}

/** One run of a command: what was typed, and where to write. */
export interface Invocation<Options = unknown> {
  /** Positional arguments in their order; undefined where an optional one is absent. */
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly options: CommonOptions & Options;
  readonly terminal: Terminal;
}

/** A command: resolves with its exit code, or rejects with CommandFailed. */
export type Run<Options> = (invocation: Invocation<Options>) => Promise<number>;

/** The positional argument at `index`, which the command line parser has made sure of. */
export function argument(invocation: Invocation, index: number): string {
  const value = invocation.args[index];
  if (typeof value !== "string") throw usage("an argument is missing");
  return value;
}

/** The variadic argument at `index`; empty where nothing was given. */
export function argumentList(invocation: Invocation, index: number): readonly string[] {
  const value = invocation.args[index];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

/** Writes `value` as JSON or YAML, or what `people` makes of it: the API's JSON stays as it is. */
export async function show(
  { options, terminal }: Invocation,
  value: unknown,
  people: (wide: boolean) => string,
): Promise<void> {
  switch (options.output) {
    case "json":
      terminal.out(`${JSON.stringify(value, null, 2)}\n`);
      return;
    case "yaml": {
      const { stringify } = await import("yaml");
      terminal.out(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }));
      return;
    }
    case "table":
    case "wide":
      terminal.out(people(options.output === "wide"));
  }
}
