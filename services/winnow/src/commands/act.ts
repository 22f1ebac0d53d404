import { randomUUID } from "node:crypto";
import type { Incident } from "@winnow/contracts";
import { openApi } from "../client/api.ts";
import { exitCodes, usage } from "./exit-codes.ts";
import { incidentPath } from "./incident.ts";
import { incidentLine } from "./incident-story.ts";
import { argument, argumentList, type Invocation, type Run, show } from "./invocation.ts";

export interface ActOptions {
  readonly idempotencyKey?: string;
}

export type Action = "ack" | "resolve" | "note";

/**
 * `winnow ack|resolve|note ID [TEXT…]`: prints the incident as it is then. Each run has an idempotency key, so that a
 * repeated request acts once. Exit 1 for an acknowledgement that comes after the end.
 */
export function act(action: Action): Run<ActOptions> {
  return async (invocation) => {
    const { options, terminal } = invocation;
    const path = `${incidentPath(argument(invocation, 0))}/${action}`;
    const text = await textOf(invocation);
    if (action === "note" && text === "") throw usage("the note is empty", "write it behind the id");
    const idempotencyKey = options.idempotencyKey ?? randomUUID();
    const api = await openApi(terminal, options);
    const reply = await api.send("POST", path, { json: { text }, idempotencyKey });
    const incident = reply.body as Incident;
    await show(invocation, incident, () => `${incidentLine(incident, terminal)}\n`);
    if (reply.status === 202) terminal.say("it is stored, but not applied yet: look again in a moment");
    else if (action === "ack" && isOver(incident)) {
      terminal.say(`not acknowledged: the incident is ${incident.state} already`);
      return exitCodes.failed;
    }
    return exitCodes.ok;
  };
}

function isOver({ state }: Incident): boolean {
  return state === "resolved" || state === "closed" || state === "reviewed";
}

async function textOf(invocation: Invocation<ActOptions>): Promise<string> {
  const words = argumentList(invocation, 1).join(" ").trim();
  if (words !== "-") return words;
  return (await invocation.terminal.readStdin()).toString("utf8").trim();
}
