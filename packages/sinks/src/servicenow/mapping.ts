import { createHash } from "node:crypto";
import type { Level } from "@winnow/contracts";
import type { TicketContent } from "@winnow/ports";
import { clip, lasted, oneLine, utc } from "../text.ts";
import { describe, isOurs } from "./description.ts";
import { highestNote, visible, workNote } from "./work-notes.ts";

/** Field values as the Table API takes them. */
export type Fields = Readonly<Record<string, string>>;

/** States of an incident: 1 New, 2 In Progress, 3 On Hold, 6 Resolved, 7 Closed, 8 Canceled. */
export const states = { new: "1", inProgress: "2", onHold: "3", resolved: "6", closed: "7", canceled: "8" } as const;

/** What of the settings takes part in the mapping. */
export interface MappingSettings {
  readonly close_code: string;
  readonly contact_type: string;
  readonly caller?: string;
  readonly assignment_group?: string;
  readonly business_service: boolean;
  readonly fields: Fields;
}

/** A ticket as ServiceNow shows it; times as it writes them (GMT, `yyyy-MM-dd HH:mm:ss`). */
export interface ServiceNowRecord {
  readonly sys_id: string;
  readonly number: string;
  readonly state: string;
  readonly correlation_id: string;
  readonly description: string;
  readonly resolved_at: string;
  /** All work notes as one text. */
  readonly journal: string;
}

/** What an update has to do. */
export type Plan =
  | { readonly kind: "patch"; readonly fields: Fields }
  /** The ticket shows everything already, or is closed like the incident. */
  | { readonly kind: "nothing" }
  /** Closed or cancelled for good while the incident is open. */
  | { readonly kind: "gone" };

const shortDescriptionMax = 160;
const correlationIdMax = 100;
const closeReasonMax = 500;
const levels: Readonly<Record<Level, string>> = { high: "1", medium: "2", low: "3" };
/** Fields that hold a reference: a sys_id, or a name that ServiceNow has to look up. */
const references = ["caller_id", "assignment_group", "business_service", "cmdb_ci", "assigned_to", "parent_incident"];

/**
 * The key as a correlation id. One that is longer than the field (100 characters), or that holds anything that could
 * mean something in a query, becomes `winnow:` and its SHA-256, which is as unique and can be computed again.
 */
export function correlationIdOf(key: string): string {
  if (key.length <= correlationIdMax && /^[A-Za-z0-9:._-]+$/.test(key)) {
    return key;
  }
  return `winnow:${createHash("sha256").update(key).digest("hex")}`;
}

/** True when a reference is given by name: then ServiceNow must be told to read display values. */
export function namesReference(fields: Fields): boolean {
  return references.some((name) => fields[name] !== undefined && !/^[0-9a-f]{32}$/.test(fields[name]));
}

/** All fields of a new ticket, its state and first work note included, so that one request creates it whole. */
export function createFields(content: TicketContent, settings: MappingSettings, predecessor?: string): Fields {
  const { incident } = content;
  const group = incident.assignment_group ?? settings.assignment_group;
  const service = settings.business_service ? incident.service : null;
  return withoutEmpty({
    category: line(incident.category, 100),
    contact_type: settings.contact_type,
    caller_id: settings.caller,
    assignment_group: line(group, 100),
    business_service: line(service, 100),
    impact: levels[incident.impact],
    urgency: levels[incident.urgency],
    ...settings.fields,
    short_description: clip(oneLine(incident.title), shortDescriptionMax, "…"),
    description: describe(content),
    ...createState(content, settings),
    work_notes: firstNote(content, predecessor),
    parent_incident: content.predecessor,
    correlation_id: correlationIdOf(content.key),
    correlation_display: "winnow",
  });
}

/** Decides what brings the ticket to `content`. Fields that people own (group, assignee, title) are left alone. */
export function planUpdate(record: ServiceNowRecord, content: TicketContent, settings: MappingSettings): Plan {
  if (record.state === states.closed || record.state === states.canceled) {
    return { kind: isOver(content) || !hasNewEvidence(record, content) ? "nothing" : "gone" };
  }
  const fresh = freshNotes(record, content);
  const fields = withoutEmpty({
    description: newDescription(record, content),
    ...(fresh.some((note) => note.kind === "priority_changed")
      ? { impact: levels[content.incident.impact], urgency: levels[content.incident.urgency] }
      : {}),
    ...nextState(record, content, settings),
    work_notes: workNote(content, fresh),
  });
  return Object.keys(fields).length === 0 ? { kind: "nothing" } : { kind: "patch", fields };
}

/**
 * Whether an update that may have been lost has arrived. An update is one request, applied whole or not at all, so
 * its last note proves it; without notes there is nothing that a repetition could double, and the plan decides.
 */
export function shows(record: ServiceNowRecord, content: TicketContent, settings: MappingSettings): boolean {
  const last = visible(content.notes).at(-1);
  return last === undefined
    ? planUpdate(record, content, settings).kind !== "patch"
    : highestNote(record.journal) >= last.seq;
}

/** True when the incident is resolved or beyond. */
export function isOver(content: TicketContent): boolean {
  return ["resolved", "closed", "reviewed"].includes(content.incident.state);
}

function freshNotes(record: ServiceNowRecord, content: TicketContent): TicketContent["notes"] {
  const shown = highestNote(record.journal);
  return visible(content.notes).filter((note) => note.seq > shown);
}

function newDescription(record: ServiceNowRecord, content: TicketContent): string | undefined {
  const wanted = describe(content);
  const present = record.description.replaceAll("\r\n", "\n").trim();
  return isOurs(present) && present !== wanted ? wanted : undefined;
}

function createState(content: TicketContent, settings: MappingSettings): Fields {
  if (isOver(content)) {
    return resolution(content, settings);
  }
  return { state: content.incident.state === "new" ? states.new : states.inProgress };
}

function nextState(record: ServiceNowRecord, content: TicketContent, settings: MappingSettings): Fields {
  if (isOver(content)) {
    return record.state === states.resolved ? {} : resolution(content, settings);
  }
  if (record.state === states.resolved) {
    return hasNewEvidence(record, content) ? { state: states.inProgress } : {};
  }
  return record.state === states.new && content.incident.state !== "new" ? { state: states.inProgress } : {};
}

/**
 * A resolved ticket is opened again, and a closed one gets a successor, when Winnow's own incident was opened again or an
 * alert joined after the ticket was resolved; of a ticket closed without that time, when one joined that it does not
 * show. Otherwise a person has ended it there, and that stands.
 */
function hasNewEvidence(record: ServiceNowRecord, content: TicketContent): boolean {
  const resolvedMs = Date.parse(`${record.resolved_at.replace(" ", "T")}Z`);
  return freshNotes(record, content).some(
    ({ kind, at_ms }) => kind === "reopened" || (kind === "joined" && !(at_ms <= resolvedMs)),
  );
}

function resolution(content: TicketContent, settings: MappingSettings): Fields {
  const { incident } = content;
  const note = content.notes.findLast((one) => one.kind === "resolved");
  const by = note === undefined || note.actor === "winnow" ? "" : ` by ${oneLine(note.actor)}`;
  const why = note?.text === undefined || by === "" ? (note?.reason.text ?? "All alerts have resolved") : note.text;
  const resolvedMs = incident.resolved_ms ?? incident.last_event_ms;
  const when = `${utc(resolvedMs)}, after ${lasted(resolvedMs - incident.opened_ms)}`;
  const text = `Resolved${by} ${when}. ${clip(oneLine(why), closeReasonMax)}. Alerts: ${incident.member_count}.`;
  return { state: states.resolved, close_code: settings.close_code, close_notes: `${text} ${content.url}` };
}

function firstNote(content: TicketContent, predecessor: string | undefined): string {
  const notes = workNote(content, visible(content.notes));
  if (content.predecessor === null) {
    return notes;
  }
  const link = `Follows ${predecessor ?? content.predecessor}, which is closed and cannot be opened again.`;
  return notes === "" ? link : `${link}\n${notes}`;
}

function line(value: string | null | undefined, max: number): string | undefined {
  return value === null || value === undefined ? undefined : clip(oneLine(value), max, "…");
}

function withoutEmpty(fields: Readonly<Record<string, string | null | undefined>>): Fields {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined && value !== "") {
      kept[name] = value;
    }
  }
  return kept;
}
