import { type Command, CommanderError, Command as NewCommand, Option } from "commander";
import { CommandFailed, exitCodes } from "./exit-codes.ts";
import { outputFormats } from "./invocation.ts";
import { addActingCommands } from "./program-acting.ts";
import { addCheckingCommands } from "./program-checking.ts";
import { addDevelopingCommands } from "./program-developing.ts";
import { addReadingCommands } from "./program-reading.ts";
import { addServingCommands } from "./program-serving.ts";
import { type Register, registrar } from "./register.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

const footer = `
Environment:
  WINNOW_URL    which Winnow to talk to (http://127.0.0.1:8080)
  WINNOW_TOKEN  its token; or url: and token: in ~/.config/winnow/config.yaml
  NO_COLOR      no colours

Exit codes:
  0 ok   1 failed   2 usage   3 a check found only warnings   4 not found   5 unreachable`;

/**
 * Runs one command line and resolves with its exit code. The modules of a command are loaded when it runs, so that
 * `winnow ack` does not wait for what `winnow up` needs.
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = buildProgram(terminal, (code) => (exitCode = code));
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return await report(error, terminal);
  }
}

function buildProgram(terminal: Terminal, finish: (exitCode: number) => void): Command {
  const program = new NewCommand("winnow");
  program
    .description("Turns the flood of alerts into few, explained incidents, and each incident into exactly one ticket.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .addOption(new Option("-o, --output <format>", "how to print").choices(outputFormats).default("table"))
    .option("--url <url>", "which Winnow to talk to; before WINNOW_URL")
    .addHelpText("after", footer);
  configure(program, terminal);
  const register: Register = registrar(terminal, finish, (command) => configure(command, terminal));
  program.commandsGroup("Run:");
  addServingCommands(program, register);
  program.commandsGroup("Look:");
  addReadingCommands(program, register);
  program.commandsGroup("Act:");
  addActingCommands(program, register);
  program.commandsGroup("Check:");
  addCheckingCommands(program, register);
  program.commandsGroup("Develop:");
  addDevelopingCommands(program, register);
  return program;
}

function configure(command: Command, terminal: Terminal): void {
  command
    .exitOverride()
    .showHelpAfterError("(see --help)")
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(terminal.width ?? 100, 120) })
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.say(text.trimEnd()),
    });
}

/** Says what went wrong in one or two lines. Only a fault in Winnow itself shows its stack. */
async function report(error: unknown, terminal: Terminal): Promise<number> {
  const head = terminal.paintTalk("red", "error:");
  if (error instanceof CommandFailed) {
    terminal.say(`${head} ${error.message}`);
    if (error.hint !== null) terminal.say(`  ${terminal.paintTalk("dim", "hint:")} ${error.hint}`);
    return error.exitCode;
  }
  const { WinnowError } = await import("@winnow/platform");
  if (error instanceof WinnowError) {
    // Findings in a file carry their own codes and places.
    const code = error.message.includes("\n") ? "" : ` (${error.code})`;
    terminal.say(`${head} ${error.message}${code}`);
  } else if (isSystemError(error)) {
    terminal.say(`${head} ${error.message}`);
    if (error.code === "EADDRINUSE") terminal.say("  hint: another process listens there; port 0 picks a free one");
  } else terminal.say(`${head} a fault in Winnow\n${error instanceof Error ? error.stack : String(error)}`);
  return exitCodes.failed;
}

/** What the operating system refused: a matter of the machine, not of the program. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}
