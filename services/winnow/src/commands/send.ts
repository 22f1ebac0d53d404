import { type Api, ApiRefusal, openApi, segment } from "../client/api.ts";
import { CommandFailed, exitCodes, usage } from "./exit-codes.ts";
import { guessContentType, readInput } from "./explain.ts";
import { type Invocation, show } from "./invocation.ts";
import { sampleTools } from "./send-samples/registry.ts";
import {
  inbound,
  type SampleInput,
  type SampleSeverity,
  type SampleTool,
  sampleSeverities,
} from "./send-samples/sample.ts";
import { table } from "./table.ts";
import { count, plain } from "./words.ts";

export interface SendOptions {
  readonly integration?: string;
  readonly set?: readonly string[];
  readonly resolve?: boolean;
  readonly count?: number;
  readonly at?: string;
  readonly file?: string;
  readonly print?: boolean;
}

/** What the receiver answers with 202. */
interface Receipt {
  readonly id?: string;
  readonly accepted?: number;
  readonly dead_lettered?: number;
  readonly warnings?: readonly { readonly code: string; readonly path: string; readonly message: string }[];
}

/** `winnow send TOOL`: exit 1 when something that was sent could not be read. */
export async function send(invocation: Invocation<SendOptions>): Promise<number> {
  const { args, options, terminal } = invocation;
  const [name] = args;
  if (name === undefined && options.file === undefined) return await listTools(invocation);
  const tool = typeof name === "string" ? toolNamed(name) : null;
  const requests = options.file === undefined ? samples(tool, invocation) : [await fromFile(options.file, invocation)];
  if (options.print === true) {
    for (const { body } of requests) terminal.out(`${body.toString()}\n`);
    return exitCodes.ok;
  }
  const integration = options.integration ?? tool?.source;
  if (integration === undefined) throw usage("say with --integration NAME who shall read the file");
  const path = (tool?.path ?? inbound)(segment(integration));
  const api = await openApi(terminal, options);
  const receipts: unknown[] = [];
  for (const request of requests) receipts.push(await post(api, path, request));
  await show(invocation, receipts.length === 1 ? receipts[0] : { items: receipts }, () => summary(receipts));
  return receipts.some((one) => ((one as Receipt | null)?.dead_lettered ?? 0) > 0) ? exitCodes.failed : exitCodes.ok;
}

async function listTools(invocation: Invocation<SendOptions>): Promise<number> {
  const columns = [
    { head: "TOOL", cell: (tool: SampleTool) => tool.name },
    { head: "SENDS AS", cell: (tool: SampleTool) => tool.title },
    { head: "TO INTEGRATION", cell: (tool: SampleTool) => tool.source },
  ];
  const rows = sampleTools.map(({ name, title, source }) => ({ name, title, integration: source }));
  await show(invocation, { items: rows }, () => table(columns, sampleTools, invocation.terminal));
  return exitCodes.ok;
}

function toolNamed(name: string): SampleTool {
  const tool = sampleTools.find((one) => one.name === name);
  if (tool !== undefined) return tool;
  throw usage(`no tool is called "${name}"`, `known: ${sampleTools.map((one) => one.name).join(", ")}`);
}

/** A request to make: a sample, or a file's bytes as they are. */
interface Outgoing {
  readonly contentType: string;
  readonly body: string | Buffer;
}

async function fromFile(file: string, { terminal }: Invocation<SendOptions>): Promise<Outgoing> {
  const body = await readInput(file, terminal);
  return { body, contentType: guessContentType(body) };
}

function samples(tool: SampleTool | null, invocation: Invocation<SendOptions>): Outgoing[] {
  if (tool === null) throw usage("say which tool to send as");
  const { options, terminal } = invocation;
  const now = terminal.now();
  const base = sampleOf(options, now);
  const total = options.count ?? 1;
  const alerts = Array.from({ length: total }, (_, index) => (total === 1 ? base : numbered(base, index + 1)));
  const requests: Outgoing[] = [];
  for (let from = 0; from < alerts.length; from += tool.perRequest) {
    requests.push(tool.request(alerts.slice(from, from + tool.perRequest)));
  }
  return requests;
}

/** `web-01` becomes `web-0001`, `web-0002`, …: alerts of one condition on several hosts. */
function numbered(alert: SampleInput, index: number): SampleInput {
  const stem = alert.host.replace(/-?\d*$/, "");
  return { ...alert, host: `${stem}-${String(index).padStart(4, "0")}` };
}

const ownKeys = ["service", "host", "severity", "title", "text", "environment"] as const;

function sampleOf(options: SendOptions, now: number): SampleInput {
  const values: Record<string, string> = {};
  for (const pair of options.set ?? []) {
    const at = pair.indexOf("=");
    if (at < 1) throw usage(`--set ${pair} is not key=value`);
    values[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const [service, host, severity, title, text, environment] = ownKeys.map((name) => values[name]);
  const labels = Object.entries(values).filter(([name]) => !(ownKeys as readonly string[]).includes(name));
  return {
    startedMs: options.at === undefined ? now : timeOf(options.at),
    nowMs: now,
    resolve: options.resolve === true,
    service: service ?? "checkout",
    host: host ?? "web-01",
    environment: environment ?? "prod",
    severity: severityOf(severity ?? "critical"),
    title: title ?? "High latency",
    text: text ?? "the 99th percentile is above 2 s",
    labels: Object.fromEntries(labels.map(([name, value]) => [name.replace(/^labels\./, ""), value])),
  };
}

function severityOf(word: string): SampleSeverity {
  const severity = sampleSeverities.find((one) => one === word);
  if (severity !== undefined) return severity;
  throw usage(`"${word}" is no severity`, `known: ${sampleSeverities.join(", ")}`);
}

function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw usage(`--at ${text} is no time`, "write it like 2026-01-31T22:54:36Z");
}

async function post(api: Api, path: string, raw: Outgoing): Promise<unknown> {
  try {
    return (await api.send("POST", path, { raw })).body;
  } catch (error) {
    if (!(error instanceof ApiRefusal) || error.status !== 401) throw error;
    const hint = "an integration may have a token of its own: give that one as WINNOW_TOKEN";
    throw new CommandFailed(error.exitCode, error.message, hint);
  }
}

function summary(receipts: readonly unknown[]): string {
  const known = receipts.filter((one): one is Receipt => one !== null && typeof one === "object");
  const sum = (of: (receipt: Receipt) => number | undefined): number =>
    known.reduce((total, receipt) => total + (of(receipt) ?? 0), 0);
  const accepted = sum((receipt) => receipt.accepted);
  const dead = sum((receipt) => receipt.dead_lettered);
  // Alertmanager's API answers with nothing but 200.
  const head =
    known.length === 0 ? `sent in ${count(receipts.length, "request")}` : `${count(accepted, "alert")} accepted`;
  const warnings = known.flatMap(({ warnings: said = [] }) => said);
  const lines = [
    ...new Set(
      warnings.map((one) => `  ${one.code}${one.path === "" ? "" : ` at ${plain(one.path)}`}: ${plain(one.message)}`),
    ),
  ];
  return `${[`${head}${dead > 0 ? `, ${dead} could not be read: see \`winnow dlq ls\`` : ""}`, ...lines].join("\n")}\n`;
}
