import type { Command } from "commander";
import type { Action, ActOptions } from "./act.ts";
import type { GetOptions } from "./get.ts";
import { limit, oneOf, whole } from "./option-values.ts";
import type { Register } from "./register.ts";
import type { SendOptions } from "./send.ts";
import type { TokenCreateOptions } from "./token.ts";
import { deadLetterStates, tokenScopes } from "./vocabulary.ts";

/** `send`, `ack`, `resolve`, `note`, `dlq …`, `token …`. */
export function addActingCommands(program: Command, register: Register): void {
  addSend(program, register);
  const acts = {
    ack: { summary: "acknowledge an incident", text: "[text...]" },
    resolve: { summary: "resolve an incident", text: "[text...]" },
    note: { summary: "write a note into an incident's timeline", text: "<text...>" },
  } as const;
  for (const [name, { summary, text }] of Object.entries(acts)) {
    register<ActOptions>(
      program
        .command(name)
        .summary(summary)
        .description(`${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`)
        .argument("<id>", "id or number of the incident")
        .argument(text, "goes into the timeline; - reads it from stdin")
        .option("--idempotency-key <key>", "of an earlier try that ended without an answer"),
      async () => (await import("./act.ts")).act(name as Action),
    );
  }
  addDeadLetters(
    program
      .command("dlq")
      .summary("look after dead letters")
      .description("Looks after dead letters: what could not be read or decided."),
    register,
  );
  addTokens(
    program
      .command("token")
      .summary("manage API tokens")
      .description("Manages API tokens. Needs one with the scope admin."),
    register,
  );
}

function addSend(program: Command, register: Register): void {
  register<SendOptions>(
    program
      .command("send")
      .summary("send a sample alert, shaped as a tool sends it")
      .description(
        "Sends sample alerts in the shape that a tool really sends, or a body from a file. Without a tool it lists " +
          "those that it knows.",
      )
      .argument("[tool]", "whose shape")
      .option("--integration <name>", "to this integration (the one named after the tool)")
      .option(
        "--set <key=value>",
        "service, host, severity, title, text, environment, or any label; repeatable",
        (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
      )
      .option("--resolve", "the end of the alert instead of its beginning")
      .option("--count <n>", "so many alerts, each of a host of its own", whole(1, 100_000))
      .option("--at <time>", "when it began, RFC 3339; the same time twice is the same occurrence")
      .option("--file <file>", "post this body as it is; - for stdin")
      .option("--print", "print the body instead of sending it"),
    async () => (await import("./send.ts")).send,
  );
}

function addDeadLetters(dlq: Command, register: Register): void {
  register<GetOptions>(
    dlq
      .command("ls")
      .description("Lists dead letters, the waiting ones unless --state says otherwise.")
      .option("--state <list>", deadLetterStates.join(", "), oneOf(deadLetterStates), ["waiting"])
      .option("--limit <n>", "at most so many", limit)
      .option("--cursor <cursor>", "go on where a page ended")
      .option("--all", "all pages"),
    async () => (await import("./get.ts")).getDeadLetters,
  );
  register(
    dlq.command("show").description("Shows one dead letter: why, and what was received.").argument("<id>", "its id"),
    async () => (await import("./dlq.ts")).showDeadLetter,
  );
  register(
    dlq
      .command("retry")
      .description("Sends dead letters through their integration again.")
      .argument("<id...>", "their ids"),
    async () => (await import("./dlq.ts")).decideDeadLetters("retry"),
  );
  register(dlq.command("discard").description("Gives dead letters up.").argument("<id...>", "their ids"), async () =>
    (await import("./dlq.ts")).decideDeadLetters("discard"),
  );
}

function addTokens(token: Command, register: Register): void {
  register<TokenCreateOptions>(
    token
      .command("create")
      .description("Makes a token and prints it: it is shown this once.")
      .argument("<name>", "whose it is; the timeline names its actions after it")
      .option("--scopes <list>", tokenScopes.join(", "), oneOf(tokenScopes), ["read"]),
    async () => (await import("./token.ts")).createToken,
  );
  register(token.command("ls").description("Lists tokens."), async () => (await import("./token.ts")).listTokens);
  register(
    token
      .command("revoke")
      .description("Revokes a token; it ends within seconds.")
      .argument("<id>", "its id, as in ls"),
    async () => (await import("./token.ts")).revokeToken,
  );
}
