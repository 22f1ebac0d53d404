import type { Alert, DeadLetter, Delivery, Incident } from "@winnow/contracts";
import { priorityStyle, severityStyle, stateStyle } from "./styles.ts";
import type { Column } from "./table.ts";
import type { Style } from "./terminal.ts";
import { age } from "./words.ts";

export function incidentColumns(now: number): readonly Column<Incident>[] {
  return [
    { head: "NO", cell: ({ number }) => `#${number}`, align: "right" },
    { head: "PRIO", cell: ({ priority }) => priority, style: ({ priority }) => priorityStyle(priority) },
    { head: "STATE", cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
    { head: "FIRING", cell: (row) => `${row.open_member_count}/${row.member_count}`, align: "right" },
    { head: "AGE", cell: ({ opened_at }) => age(opened_at, now), align: "right" },
    { head: "LAST", cell: ({ last_event_at }) => age(last_event_at, now), align: "right" },
    { head: "TITLE", cell: ({ title }) => title, flexible: true },
    {
      head: "TICKET",
      cell: ({ deliveries }) => tickets(deliveries),
      style: ({ deliveries }) => worstStyle(deliveries),
    },
    { head: "SERVICE", cell: ({ service }) => service ?? "-", wide: true },
    { head: "ENVIRONMENT", cell: ({ environment }) => environment ?? "-", wide: true },
    { head: "SEVERITY", cell: ({ severity }) => severity, wide: true },
    { head: "EVENTS", cell: ({ event_count }) => String(event_count), align: "right", wide: true },
    { head: "RULE", cell: ({ rule }) => rule.id, wide: true },
    { head: "OPENED", cell: ({ opened_at }) => opened_at, wide: true },
    { head: "ID", cell: ({ id }) => id, wide: true },
  ];
}

/** The delivery of the newest generation at each destination. */
function newestOf(deliveries: readonly Delivery[]): readonly Delivery[] {
  const newest = new Map<string, Delivery>();
  for (const delivery of deliveries) {
    if ((newest.get(delivery.destination)?.generation ?? 0) <= delivery.generation) {
      newest.set(delivery.destination, delivery);
    }
  }
  return [...newest.values()];
}

/** What needs a person stands out. */
function worstStyle(deliveries: readonly Delivery[]): Style | null {
  const states = newestOf(deliveries).map(({ delivery_state }) => delivery_state);
  const worst = (["dead", "parked", "unknown"] as const).find((state) => states.includes(state));
  return worst === undefined ? null : stateStyle(worst);
}

/** The number that people know, where the ticket's URL ends in it (`…#INC0010023`); else the vendor's own id. */
function ticketName({ remote_id, remote_url }: Delivery): string | null {
  return remote_id === null ? null : (/#([A-Za-z]+\d+)$/.exec(remote_url ?? "")?.[1] ?? remote_id);
}

/** The newest ticket at each destination; its state where there is none yet or something is wrong. */
function tickets(deliveries: readonly Delivery[]): string {
  const texts = newestOf(deliveries).map((delivery) => {
    const { delivery_state, destination } = delivery;
    const name = ticketName(delivery);
    return name !== null && delivery_state !== "dead" ? name : `${destination}: ${delivery_state}`;
  });
  return texts.length === 0 ? "-" : texts.join(", ");
}

export function alertColumns(now: number): readonly Column<Alert>[] {
  return [
    { head: "STATUS", cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
    { head: "SEVERITY", cell: ({ severity }) => severity, style: ({ severity }) => severityStyle(severity) },
    { head: "SINCE", cell: ({ episode }) => age(episode.ended_at ?? episode.started_at, now), align: "right" },
    { head: "LAST", cell: ({ last_seen_at }) => age(last_seen_at, now), align: "right" },
    { head: "COUNT", cell: ({ count }) => String(count), align: "right" },
    { head: "INTEGRATION", cell: ({ integration }) => integration },
    { head: "TITLE", cell: ({ title }) => title, flexible: true },
    { head: "SERVICE", cell: ({ service }) => service ?? "-", wide: true },
    { head: "ENVIRONMENT", cell: ({ environment }) => environment ?? "-", wide: true },
    { head: "HOST", cell: ({ host }) => host ?? "-", wide: true },
    { head: "FLAGS", cell: ({ flags }) => flagWords(flags), wide: true },
    { head: "INCIDENT", cell: ({ incident_id }) => incident_id ?? "-", wide: true },
    { head: "FINGERPRINT", cell: ({ fingerprint }) => fingerprint },
  ];
}

function flagWords(flags: Alert["flags"]): string {
  const set = Object.entries(flags).filter(([, isSet]) => isSet);
  return set.length === 0 ? "-" : set.map(([name]) => name).join(",");
}

export function deliveryColumns(now: number): readonly Column<Delivery>[] {
  return [
    { head: "INCIDENT", cell: ({ incident_id }) => incident_id },
    ...ticketColumns(now),
    {
      head: "ERROR",
      cell: ({ last_error }) => (last_error === null ? "-" : `${last_error.code}: ${last_error.message}`),
      flexible: true,
    },
  ];
}

/** Deliveries of one incident; their errors need more room than a column has. */
export function ticketColumns(now: number): readonly Column<Delivery>[] {
  return [
    { head: "DESTINATION", cell: ({ destination }) => destination },
    {
      head: "STATE",
      cell: ({ delivery_state }) => delivery_state,
      style: ({ delivery_state }) => stateStyle(delivery_state),
    },
    { head: "TICKET", cell: (row) => ticketName(row) ?? "-" },
    { head: "SHOWS", cell: (row) => shows(row) },
    { head: "TRIES", cell: ({ attempts }) => String(attempts), align: "right" },
    { head: "NEXT", cell: ({ due_at }) => next(due_at, now), align: "right" },
    { head: "GENERATION", cell: ({ generation }) => String(generation), align: "right", wide: true },
    { head: "URL", cell: ({ remote_url }) => remote_url ?? "-", wide: true },
  ];
}

function shows({ applied_version, desired_version }: Delivery): string {
  if (applied_version === desired_version) return "all";
  return applied_version === 0 ? "nothing yet" : `version ${applied_version} of ${desired_version}`;
}

function next(time: string | null, now: number): string {
  if (time === null) return "-";
  return Date.parse(time) <= now ? "now" : age(time, now);
}

export function deadLetterColumns(now: number): readonly Column<DeadLetter>[] {
  return [
    { head: "STATE", cell: ({ state }) => state, style: ({ state }) => stateStyle(state) },
    { head: "AGE", cell: ({ received_at }) => age(received_at, now), align: "right" },
    { head: "INTEGRATION", cell: ({ integration }) => integration },
    { head: "BYTES", cell: ({ bytes }) => String(bytes), align: "right" },
    { head: "TRIES", cell: ({ attempts }) => String(attempts), align: "right" },
    { head: "REASON", cell: ({ reason }) => `${reason.code}: ${reason.text}`, flexible: true },
    { head: "RECEIVED", cell: ({ received_at }) => received_at, wide: true },
    { head: "SHA256", cell: ({ sha256 }) => sha256, wide: true },
    { head: "ID", cell: ({ id }) => id },
  ];
}
