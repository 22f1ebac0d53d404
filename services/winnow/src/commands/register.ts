import type { Command } from "commander";
import type { CommonOptions, Run } from "./invocation.ts";
import type { Terminal } from "./terminal.ts";

/** Gives a command its work, loaded when it runs; returns the command, to go on describing it. */
export type Register = <Options>(command: Command, load: () => Promise<Run<Options>>) => Command;

export function registrar(
  terminal: Terminal,
  finish: (exitCode: number) => void,
  configure: (command: Command) => void,
): Register {
  return <Options>(command: Command, load: () => Promise<Run<Options>>): Command => {
    configure(command);
    return command.action(async () => {
      const run = await load();
      const options = command.optsWithGlobals<CommonOptions & Options>();
      finish(await run({ args: command.processedArgs as readonly (string | undefined)[], options, terminal }));
    });
  };
}
