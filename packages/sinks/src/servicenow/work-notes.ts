import type { TicketContent } from "@winnow/ports";
import { clip, lengthOf, oneLine, plain, utc } from "../text.ts";

/** Of one work note, in code points; far below what a journal entry takes. */
const noteMax = 16_000;
const lineMax = 1000;

type Note = TicketContent["notes"][number];

/** Highest seq whose line stands in the journal, 0 for none. Only line starts count: people may quote us. */
export function highestNote(journal: string): number {
  let highest = 0;
  for (const [, seq] of journal.matchAll(/^\[winnow #(\d{1,15})\]/gm)) {
    highest = Math.max(highest, Number(seq));
  }
  return highest;
}

/** The notes that a ticket shows: what the router tells of deliveries is no news inside the ticket itself. */
export function visible(notes: readonly Note[]): readonly Note[] {
  return notes.filter((note) => note.kind !== "delivery");
}

/**
 * One journal entry for several notes, in sequence, each on a line that begins with `[winnow #<seq>]`.
 * Where they are too many, the oldest are left out and counted. Empty for none.
 */
export function workNote(content: TicketContent, notes: readonly Note[]): string {
  const lines: string[] = [];
  let room = noteMax;
  for (const note of notes.toReversed()) {
    const line = noteLine(content, note);
    room -= lengthOf(line) + 1;
    if (room < 0) {
      lines.push(`… ${notes.length - lines.length} earlier entries left out, see ${content.url}`);
      break;
    }
    lines.push(line);
  }
  return lines.toReversed().join("\n");
}

function noteLine(content: TicketContent, note: Note): string {
  const said = note.text === undefined || note.text.trim() === "" ? "" : `: ${plain(note.text).trim()}`;
  const text = clip(`${headline(content, note)}${said}`, lineMax);
  // Only our own lines may begin at the margin, and ServiceNow renders what stands between [code] tags as HTML.
  const inert = text.replaceAll("\n", "\n  ").replace(/\[(\/?code)/gi, "($1");
  return `[winnow #${note.seq}] ${utc(note.at_ms)} ${inert}`;
}

function headline(content: TicketContent, note: Note): string {
  const alert = alertOf(content, note);
  const person = note.actor === "winnow" ? "" : ` by ${oneLine(note.actor)}`;
  switch (note.kind) {
    case "opened":
      return `Incident opened${alert}`;
    case "reopened":
      return `Incident opened again${alert}`;
    case "joined":
      return `New alert${alert}`;
    case "member_resolved":
      return `Alert resolved${alert}`;
    case "member_changed":
      return `Alert changed${alert}${step(note)}`;
    case "priority_changed":
      return `Priority changed${step(note)}`;
    case "acknowledged":
      return `Acknowledged${person}`;
    case "resolved":
      return person === "" ? `Resolved: ${note.reason.text}` : `Resolved${person}`;
    case "noted":
      return `Note${person}`;
    case "released":
    case "action_refused":
    case "delivery":
      return note.reason.text;
  }
}

function alertOf(content: TicketContent, note: Note): string {
  const member = content.members.find((one) => one.fingerprint === note.fingerprint);
  const title = member?.alert.title ?? note.reason.evidence?.["alert"];
  if (typeof title !== "string") {
    return "";
  }
  const host = member?.alert.host;
  const where = host === undefined || title.includes(host) ? "" : ` on ${host}`;
  // A change of severity says the old and the new one itself.
  const severity = member === undefined || note.kind === "member_changed" ? "" : ` (${member.severity})`;
  return `: ${clip(oneLine(title + where), 200)}${severity}`;
}

function step(note: Note): string {
  const { from, to } = note.reason.evidence ?? {};
  return typeof from === "string" && typeof to === "string" ? `, ${from} to ${to}` : "";
}
