import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Explanation } from "@winnow/contracts";
import { type ApiRequest, openApi } from "../client/api.ts";
import { CommandFailed, exitCodes, usage } from "./exit-codes.ts";
import { keyParts, whyNotText } from "./incident-story.ts";
import { argument, type Invocation, show } from "./invocation.ts";
import type { Terminal } from "./terminal.ts";
import { plain } from "./words.ts";

export interface ExplainOptions {
  readonly integration?: string;
  readonly contentType?: string;
}

/** `winnow explain FINGERPRINT|FILE|-` */
export async function explain(invocation: Invocation<ExplainOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const request = await requestOf(invocation);
  const api = await openApi(terminal, options);
  const { body } = await api.send("POST", "v1/explain", request);
  const explanations = "items" in (body as object) ? (body as { items: Explanation[] }).items : [body as Explanation];
  await show(invocation, body, () => explanations.map((one) => render(one, terminal)).join("\n"));
  if (explanations.length === 0) terminal.say("the body holds no alert");
  return exitCodes.ok;
}

async function requestOf(invocation: Invocation<ExplainOptions>): Promise<ApiRequest> {
  const { options, terminal } = invocation;
  const what = argument(invocation, 0);
  if (/^[0-9a-f]{32}$/.test(what)) return { json: { fingerprint: what } };
  const bytes = await readInput(what, terminal);
  const { integration } = options;
  if (integration !== undefined) {
    const contentType = options.contentType ?? guessContentType(bytes);
    return { query: { integration }, raw: { body: bytes, contentType } };
  }
  if (!isEvent(bytes)) {
    throw usage(
      `${what === "-" ? "stdin" : what} holds no event of winnow.alert/1`,
      "say with --integration NAME whose body it is",
    );
  }
  return { raw: { body: bytes, contentType: "application/json" } };
}

/** A file's bytes, or all of stdin for `-`. */
export async function readInput(path: string, terminal: Terminal): Promise<Buffer> {
  if (path === "-") return await terminal.readStdin();
  try {
    return readFileSync(resolve(terminal.cwd, path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : `${code}`;
    throw new CommandFailed(exitCodes.failed, `${path} cannot be read: ${why}`);
  }
}

/** JSON where it begins like it, else a form where it looks like one, else text. */
export function guessContentType(bytes: Buffer): string {
  const start = bytes.subarray(0, 4096).toString("utf8").trimStart();
  if (start.startsWith("{") || start.startsWith("[")) return "application/json";
  return /^[\w.%+[\]-]+=[^\n]*$/.test(start.trimEnd()) ? "application/x-www-form-urlencoded" : "text/plain";
}

function isEvent(bytes: Buffer): boolean {
  try {
    const value = JSON.parse(bytes.toString("utf8")) as { spec?: unknown; event?: { spec?: unknown } } | null;
    return value?.spec === "winnow.alert/1" || value?.event?.spec === "winnow.alert/1";
  } catch {
    return false;
  }
}

/** The rules in their order: those that did not take the alert, then the one that did. */
function render(one: Explanation, { paint }: Terminal): string {
  const { reason } = one;
  const { decided, group_key: _, ...evidence } = reason.evidence ?? {};
  const state = one.incident_id === null ? "in no incident" : `in incident ${one.incident_id}`;
  const head = `${one.fingerprint ?? "alert"}  ${state}${decided === undefined ? "" : `, ${plain(String(decided))}`}`;
  const nots = one.why_not.map((not) => `  ${paint("red", "✗")} ${whyNotText(not, paint)}`);
  const group = one.group_key.length === 0 ? "a group of its own" : `group ${keyParts(one.group_key)}`;
  const taken = `  ${paint("green", "✓")} ${plain(reason.rule_id ?? "no rule")}: ${group}`;
  const facts = Object.entries(evidence).map(([name, value]) => `${plain(name)}=${plain(String(value))}`);
  const why =
    decided === undefined ? [`    ${plain(reason.text)}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`] : [];
  return `${[paint("bold", head), ...nots, taken, ...why].join("\n")}\n`;
}
