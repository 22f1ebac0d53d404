import type { Api, ApiIncident } from "./api.ts";
import { unroutedTier } from "./configuration.ts";
import type { LedgerRow } from "./ticket-system.ts";

/** A ticket as the ledger's rows add up to it. */
interface Ticket {
  readonly sysId: string;
  readonly correlationId: string;
  state: string;
  /** Numbers of the notes, in the order in which they were written. */
  readonly notes: number[];
  /** True where a note says that older ones were left out. */
  isAbridged: boolean;
}

const resolvedState = "6";
const openStates = ["1", "2"];

/** One ticket per incident that is released and routed, none doubled, in its incident's state, with its whole story. */
export async function checkTickets(
  incidents: readonly ApiIncident[],
  ledger: readonly LedgerRow[],
  api: Api,
): Promise<string[]> {
  const problems: string[] = [];
  const tickets = ticketsOf(ledger);
  const byKey = new Map<string, Ticket>();
  for (const ticket of tickets) {
    if (byKey.has(ticket.correlationId)) problems.push(`two tickets carry ${ticket.correlationId}`);
    byKey.set(ticket.correlationId, ticket);
  }
  const bySysId = new Map(tickets.map((ticket) => [ticket.sysId, ticket]));
  for (const incident of incidents) problems.push(...(await checkIncident(incident, bySysId, api)));
  for (const { correlationId } of bySysId.values()) problems.push(`ticket ${correlationId} belongs to no incident`);
  return problems;
}

/** Takes the incident's ticket out of `tickets`. */
async function checkIncident(incident: ApiIncident, tickets: Map<string, Ticket>, api: Api): Promise<string[]> {
  const problems: string[] = [];
  const say = (text: string): void => void problems.push(`incident ${incident.id}: ${text}`);
  const [delivery, another] = incident.deliveries;
  const tier = incident.group_key[0]?.v.split("-")[0];
  if (another !== undefined) say("more than one delivery");
  if (delivery === undefined) {
    if (tier === "gold") say("no ticket is desired, though its rule routes at once");
    return problems;
  }
  if (tier === unroutedTier) say("routed, though no route takes it");
  const { delivery_state, applied_version, desired_version, remote_id } = delivery;
  if (delivery_state !== "idle" || applied_version !== desired_version) {
    say(`delivery ${delivery_state}, applied ${applied_version} of ${desired_version}`);
  }
  const ticket = tickets.get(remote_id ?? "");
  if (ticket === undefined) {
    say(`its ticket ${remote_id} is not in the ledger`);
    return problems;
  }
  tickets.delete(ticket.sysId);
  if (!ticket.correlationId.includes(incident.id)) say(`its ticket is of ${ticket.correlationId}`);
  const isRight = incident.state === "resolved" ? ticket.state === resolvedState : openStates.includes(ticket.state);
  if (!isRight) say(`${incident.state}, but its ticket is in state ${ticket.state}`);
  problems.push(...(await checkNotes(incident, ticket, api)));
  return problems;
}

/** The notes of a ticket are the lines of the incident's timeline, each once, in sequence. */
async function checkNotes(incident: ApiIncident, ticket: Ticket, api: Api): Promise<string[]> {
  const lines = await api.all<{ seq: number; kind: string }>(`/v1/incidents/${incident.id}/timeline`);
  const expected = lines.filter(({ kind }) => kind !== "delivery").map(({ seq }) => seq);
  const problems: string[] = [];
  const { notes } = ticket;
  const disorder = notes.findIndex((seq, at) => at > 0 && seq <= (notes[at - 1] ?? 0));
  if (disorder >= 0) problems.push(`note ${notes[disorder]} comes after ${notes[disorder - 1]}`);
  const present = new Set(notes);
  const missing = ticket.isAbridged ? [] : expected.filter((seq) => !present.has(seq));
  if (missing.length > 0) problems.push(`notes ${missing.slice(0, 5).join(", ")} of ${expected.length} are missing`);
  const known = new Set(expected);
  const invented = notes.filter((seq) => !known.has(seq));
  if (invented.length > 0) problems.push(`notes ${invented.slice(0, 5).join(", ")} are not in the timeline`);
  return problems.map((problem) => `ticket of ${incident.id}: ${problem}`);
}

function ticketsOf(ledger: readonly LedgerRow[]): Ticket[] {
  const tickets = new Map<string, Ticket>();
  for (const { op, sys_id, correlation_id, state, text } of ledger) {
    if (op === "create") {
      const fresh = { sysId: sys_id, correlationId: correlation_id, state: "", notes: [], isAbridged: false };
      tickets.set(sys_id, fresh);
    }
    const ticket = tickets.get(sys_id);
    if (ticket === undefined) continue;
    if (state !== undefined) ticket.state = state;
    if (op !== "note") continue;
    for (const [, seq] of (text ?? "").matchAll(/^\[winnow #(\d+)\]/gm)) ticket.notes.push(Number(seq));
    ticket.isAbridged ||= text?.startsWith("… ") === true;
  }
  return [...tickets.values()];
}
