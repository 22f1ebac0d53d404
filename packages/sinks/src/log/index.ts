import type { RemoteTicket, SinkCall, SinkResult, TicketContent, TicketSink } from "@winnow/ports";
import { type Static, Type } from "typebox";
import { defineSink, type SinkContext } from "../sink-type.ts";
import { clip, oneLine } from "../text.ts";

/** Longest title on a line, in code points. */
const titleMax = 200;

const LogConfig = Type.Object(
  {
    format: Type.Enum(["text", "json"] as const, {
      default: "text",
      description: "text for people, json for programs; one line per change either way",
    }),
  },
  { additionalProperties: false },
);
type LogConfig = Static<typeof LogConfig>;

const guarantee =
  "at least once, deduplicable: a line can be printed twice after a crash, always with the same ticket and version";

/** Prints one line per change of a ticket. There is nothing to look up, so the class is E. */
export const logSink = defineSink({
  type: "log",
  title: "Log",
  class: "E",
  guarantee,
  configSchema: LogConfig,
  create: (config, context) => createLogSink(config, context),
});

function createLogSink(config: LogConfig, context: SinkContext): TicketSink {
  const print = (change: string, content: TicketContent, call: SinkCall): SinkResult<RemoteTicket> => {
    if (call.signal.aborted || !call.beforeSend()) {
      return {
        kind: "refused",
        retry: "later",
        code: "http_not_sent",
        message: "Given up before the line was printed",
      };
    }
    context.print(config.format === "json" ? jsonLine(change, content) : textLine(change, content));
    return { kind: "done", value: { remote_id: content.key, remote_url: null } };
  };
  return {
    type: "log",
    class: "E",
    killTimeMs: 0,
    settleMs: 0,
    guarantee,
    create: (content, call) => Promise.resolve(print("opened", content, call)),
    update: (_remote, content, call) => Promise.resolve(print(changeOf(content), content, call)),
    close: () => Promise.resolve(),
  };
}

function changeOf(content: TicketContent): string {
  const { state } = content.incident;
  if (state === "resolved" || state === "closed" || state === "reviewed") {
    return "resolved";
  }
  return content.notes.some((note) => note.kind === "reopened") ? "reopened" : "updated";
}

function textLine(change: string, content: TicketContent): string {
  const { incident } = content;
  const alerts = `${incident.open_member_count} of ${incident.member_count} alerts firing`;
  const where = incident.service === null ? "" : `${oneLine(incident.service)}: `;
  const title = clip(oneLine(incident.title), titleMax, "…");
  return `ticket ${change} ${incident.priority} ${where}${title} (${alerts}) ${content.url} ${content.key} v${incident.version}`;
}

function jsonLine(change: string, content: TicketContent): string {
  const { incident } = content;
  return JSON.stringify({
    ticket: content.key,
    version: incident.version,
    change,
    state: incident.state,
    priority: incident.priority,
    service: incident.service,
    title: clip(oneLine(incident.title), titleMax, "…"),
    firing: incident.open_member_count,
    alerts: incident.member_count,
    url: content.url,
  });
}
