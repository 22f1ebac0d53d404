/** Exit codes of every command; stable, for scripts. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** A check found nothing wrong, but something that deserves a look. */
  lint: 3,
  notFound: 4,
  unreachable: 5,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a sentence for the person who typed it, and one that says what to do. */
export class CommandFailed extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | null;

  constructor(exitCode: ExitCode, message: string, hint: string | null = null) {
    super(message);
    this.name = "CommandFailed";
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** The command line asks for something that makes no sense. */
export function usage(message: string, hint: string | null = null): CommandFailed {
  return new CommandFailed(exitCodes.usage, message, hint);
}
