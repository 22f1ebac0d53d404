import { styleText } from "node:util";
import { type CliEnvironment, cliEnvironment } from "@winnow/platform/cli-env";

export type Style = Parameters<typeof styleText>[0];

/** Where a command reads and writes: stdout is data, stderr is talk. */
export interface Terminal {
  /** Data; `text` ends its lines itself. */
  out(text: string): void;
  /** Talk: one or more whole lines, without the last line end. */
  say(text: string): void;
  /** Paints text for stdout; plain where nobody sees colours. */
  readonly paint: (style: Style, text: string) => string;
  /** The same for stderr. */
  readonly paintTalk: (style: Style, text: string) => string;
  /** Columns of stdout; null = not a terminal, cut nothing. */
  readonly width: number | null;
  /** Everything on stdin. */
  readStdin(): Promise<Buffer>;
  readonly stdinIsTerminal: boolean;
  readonly env: CliEnvironment;
  readonly cwd: string;
  /** Epoch ms. */
  now(): number;
}

/** The real one. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  const env = cliEnvironment();
  // A reader that has seen enough (`| head`) is no failure.
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(process.exitCode ?? 0);
  });
  return {
    out: (text) => void stdout.write(text),
    say: (text) => void stderr.write(`${text}\n`),
    paint: painter(env, stdout.isTTY),
    paintTalk: painter(env, stderr.isTTY),
    width: stdout.isTTY ? Math.max(40, stdout.columns) : null,
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    stdinIsTerminal: stdin.isTTY,
    env,
    cwd: process.cwd(),
    now: () => Date.now(),
  };
}

function painter(env: CliEnvironment, isTerminal: boolean): (style: Style, text: string) => string {
  const colours = !env.noColour && (isTerminal || env.forceColour);
  return (style, text) => (colours && text !== "" ? styleText(style, text, { validateStream: false }) : text);
}
