import { resolve } from "node:path";
import { parseHostPort } from "@winnow/platform";
import { fakeNames, isFakeName, startFake } from "@winnow/sinks";
import { CommandFailed, exitCodes, usage } from "./exit-codes.ts";
import { argument, type Invocation } from "./invocation.ts";

export interface FakeOptions {
  readonly listen: string;
  readonly ledger?: string;
}

/** `winnow fake NAME`: prints its URL once it listens, runs until SIGTERM or SIGINT, exit 0. */
export async function fake(invocation: Invocation<FakeOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const name = argument(invocation, 0);
  if (!isFakeName(name)) throw usage(`there is no fake of "${name}"`, `known: ${fakeNames.join(", ")}`);
  const listen = parseHostPort(options.listen);
  if (!listen.ok) throw usage(`--listen: ${listen.message}`, listen.hint);
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => ask());
  const server = await started(
    startFake(name, {
      listen: listen.value,
      log: (line) => {
        terminal.say(line);
      },
      ...(options.ledger === undefined ? {} : { ledgerFile: resolve(terminal.cwd, options.ledger) }),
    }),
    options.listen,
  );
  const isData = options.output === "json" || options.output === "yaml";
  terminal.out(isData ? `${JSON.stringify({ name, url: server.url, pid: process.pid })}\n` : `${server.url}\n`);
  terminal.say(`fake ${name}: GET ${server.url}/__ledger, POST ${server.url}/__faults; stop it with Ctrl-C`);
  await asked;
  await server.close();
  return exitCodes.ok;
}

async function started<Server>(starting: Promise<Server>, listen: string): Promise<Server> {
  try {
    return await starting;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      throw new CommandFailed(exitCodes.failed, `${listen} is taken`, "port 0 picks a free one");
    if (code === "EACCES" || code === "EADDRNOTAVAIL") {
      throw new CommandFailed(exitCodes.failed, `cannot listen on ${listen}: ${code}`);
    }
    throw error;
  }
}
