import { type Fields, ownField, textOf } from "../reading.ts";
import { bodySchema, type ZabbixField } from "./schema.ts";

/** What {EVENT.SOURCE} names. */
export type EventSource = "trigger" | "discovery" | "autoregistration" | "internal" | "service";

/** Names that other people's media types use for the same macros. */
const aliases: Readonly<Partial<Record<ZabbixField, readonly string[]>>> = {
  event_update_status: ["update_status"],
  event_nseverity: ["nseverity"],
  event_severity: ["severity"],
  event_ack_status: ["ack_status", "ack"],
  event_opdata: ["opdata"],
  event_tags_json: ["tags_json", "event_tags", "tags"],
  event_date: ["date"],
  event_time: ["time"],
  event_recovery_date: ["recovery_date"],
  event_recovery_time: ["recovery_time"],
  event_update_date: ["update_date"],
  event_update_time: ["update_time"],
  event_update_action: ["update_action"],
  event_update_message: ["update_message"],
  event_update_user: ["update_user"],
  host_host: ["host"],
  subject: ["title"],
  message: ["description"],
};

/** A macro that has no value in this message stays as it was written, or becomes `*UNKNOWN*`. */
const unresolved = /^(?:\{[$#?]?[A-Z][^{}]*\}|\*UNKNOWN\*)$/;

export interface ZabbixFields {
  get(name: ZabbixField): string | undefined;
  /** True when the field came, but as a macro without a value. */
  isUnresolved(name: ZabbixField): boolean;
}

export function readFields(body: Fields): ZabbixFields {
  const values = new Map<ZabbixField, string>();
  const open = new Set<ZabbixField>();
  for (const name of Object.keys(bodySchema.properties) as ZabbixField[]) {
    const texts = [name, ...(aliases[name] ?? [])]
      .map((alias) => textOf(ownField(body, alias)))
      .filter((text) => text !== undefined);
    const text = texts.find((candidate) => !unresolved.test(candidate.trim()));
    if (text !== undefined) values.set(name, text);
    else if (texts.length > 0) open.add(name);
  }
  return { get: (name) => values.get(name), isUnresolved: (name) => open.has(name) };
}

/** `[{"tag":"service","value":"checkout"}]`, or the older `service:checkout, urgent`. */
export function readTags(text: string | undefined): readonly (readonly [name: string, value: string])[] {
  if (text === undefined) return [];
  const parsed = parseJson(text);
  if (!Array.isArray(parsed))
    return text.split(",").flatMap((part) => {
      const [name = "", ...rest] = part.trim().split(":");
      return name === "" ? [] : [[name, rest.join(":")] as const];
    });
  return parsed.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const name = textOf(ownField(entry as Fields, "tag"));
    return name === undefined ? [] : [[name, textOf(ownField(entry as Fields, "value")) ?? ""] as const];
  });
}

function parseJson(text: string): unknown {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
