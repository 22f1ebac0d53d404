import { randomUUID } from "node:crypto";
import type { DeadLetter } from "@winnow/contracts";
import { type Api, openApi, segment } from "../client/api.ts";
import { CommandFailed, exitCodes } from "./exit-codes.ts";
import { argument, argumentList, type Invocation, type Run, show } from "./invocation.ts";
import type { Terminal } from "./terminal.ts";
import { clockTime, plain } from "./words.ts";

/** `winnow dlq show ID` */
export async function showDeadLetter(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const letter = (await api.get(`v1/dead-letters/${segment(argument(invocation, 0))}`)) as DeadLetter;
  await show(invocation, letter, () => render(letter, terminal));
  return exitCodes.ok;
}

/** Lines of a body that are shown; the rest is in `-o json`. */
const linesMax = 60;

function render(letter: DeadLetter, terminal: Terminal): string {
  const { paint } = terminal;
  const facts = [
    ["id", letter.id],
    ["state", letter.state],
    ["received", clockTime(letter.received_at)],
    ["integration", plain(letter.integration)],
    ["reason", `${letter.reason.code}: ${plain(letter.reason.text)}`],
    ["tries", String(letter.attempts)],
    ["bytes", String(letter.bytes)],
    ["sha256", letter.sha256],
  ] as const;
  const head = facts.map(([name, value]) => `${paint("dim", name.padEnd(12))} ${value}`).join("\n");
  return `${head}\n\n${bodyText(Buffer.from(letter.raw_base64, "base64"))}\n`;
}

/** The body as text, JSON in lines; what is no text is told by its size. */
function bodyText(raw: Buffer): string {
  const text = raw.toString("utf8");
  if (text.includes("\ufffd") || text.includes("\0")) return `(${raw.length} bytes that are no text: -o json has them)`;
  const lines = pretty(text).split(/\r?\n/);
  const shown = lines.slice(0, linesMax).map((line) => /^ */.exec(line)?.[0] + plain(line.trimStart()));
  const rest = lines.length > linesMax ? [`… ${lines.length - linesMax} more lines: -o json has them`] : [];
  return [...shown, ...rest].join("\n");
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

interface Decided extends DeadLetter {
  readonly accepted?: number;
  readonly dead_lettered?: number;
}

/** `winnow dlq retry|discard ID…`: each by itself; the first that fails ends it, and what was done is said. */
export function decideDeadLetters(action: "retry" | "discard"): Run<unknown> {
  return async (invocation) => {
    const { options, terminal } = invocation;
    const api = await openApi(terminal, options);
    const done: Decided[] = [];
    for (const id of argumentList(invocation, 0)) {
      const letter = await decide(api, action, id);
      done.push(letter);
      if (options.output === "table" || options.output === "wide") terminal.out(`${sentence(action, letter)}\n`);
    }
    if (options.output === "json" || options.output === "yaml") {
      await show(invocation, done.length === 1 ? done[0] : { items: done, next_cursor: null }, () => "");
    }
    return done.some((letter) => (letter.dead_lettered ?? 0) > 0) ? exitCodes.failed : exitCodes.ok;
  };
}

async function decide(api: Api, action: "retry" | "discard", id: string): Promise<Decided> {
  try {
    const path = `v1/dead-letters/${segment(id)}/${action}`;
    return (await api.send("POST", path, { idempotencyKey: randomUUID() })).body as Decided;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new CommandFailed(error.exitCode, `${id}: ${error.message}`, error.hint);
  }
}

function sentence(action: "retry" | "discard", { id, accepted = 0, dead_lettered = 0 }: Decided): string {
  if (action === "discard") return `${id} discarded`;
  const again = dead_lettered > 0 ? `, ${dead_lettered} still unreadable` : "";
  return `${id} sent again: ${accepted} accepted${again}`;
}
