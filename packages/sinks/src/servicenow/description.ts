import type { IncidentMember, IncidentSnapshot, Severity } from "@winnow/contracts";
import type { TicketContent } from "@winnow/ports";
import { clip, lasted, lengthOf, oneLine, plain, utc } from "../text.ts";

/** ServiceNow's own limit of `incident.description`, in characters. */
const descriptionMax = 4000;

const summaryMax = 1200;
const lineMax = 300;
// Together with the summary and the link back these leave a few hundred characters for alerts, even at the worst.
const factMax = 150;
const linksMax = 3;
const hrefMax = 300;

/** The last line of every description of ours: by it an update knows that nobody has rewritten the text. */
const signature = /^Winnow incident \d+: /m;

/** True when the description is still the one that Winnow wrote. */
export function isOurs(description: string): boolean {
  return signature.test(description);
}

/**
 * The ticket's text for the person who opens it first: what is wrong, how bad, since when, which alerts, why they are
 * one incident, where to look. At most 4000 code points; alerts that find no room are counted.
 */
export function describe(content: TicketContent): string {
  const head = [...summary(content), facts(content.incident)];
  const tail = [...links(content), grouping(content), footer(content)];
  const room = descriptionMax - lengthOf([...head, ...tail].join("\n\n")) - 4;
  return [...head, alerts(content, room), ...tail].join("\n\n");
}

function summary({ incident }: TicketContent): string[] {
  const text = plain(incident.description).trim();
  return text === "" || text === plain(incident.title).trim() ? [] : [clip(text, summaryMax)];
}

function facts(incident: IncidentSnapshot): string {
  const { priority_inputs: inputs } = incident;
  const lines = [
    `Priority: ${incident.priority} (impact ${incident.impact}, from ${origin(inputs.impact_from)}; ` +
      `urgency ${incident.urgency}, from ${origin(inputs.urgency_from)})`,
    named("Service", incident.service),
    named("Environment", incident.environment),
    named("Contact", incident.contact),
    `Began: ${utc(incident.opened_ms)}`,
    incident.resolved_ms === null
      ? `Last change: ${utc(incident.last_event_ms)}`
      : `Resolved: ${utc(incident.resolved_ms)}, after ${lasted(incident.resolved_ms - incident.opened_ms)}`,
  ];
  return lines.filter((line) => line !== "").join("\n");
}

function origin(text: string): string {
  return clip(oneLine(text), factMax, "…");
}

function named(name: string, value: string | null): string {
  return value === null || value.trim() === "" ? "" : `${name}: ${clip(oneLine(value), factMax)}`;
}

function alerts({ incident, members }: TicketContent, room: number): string {
  const resolved = incident.member_count - incident.open_member_count;
  const counts = [
    ...(incident.open_member_count > 0 ? [`${incident.open_member_count} firing`] : []),
    ...(resolved > 0 ? [`${resolved} resolved`] : []),
  ];
  const title = `Alerts: ${counts.length > 0 ? counts.join(", ") : "none"}`;
  const lines: string[] = [];
  let left = room - lengthOf(title) - lengthOf(more(incident.member_count)) - 1;
  for (const member of members.toSorted(worstFirst)) {
    const line = memberLine(member);
    left -= lengthOf(line) + 1;
    if (left < 0) {
      break;
    }
    lines.push(line);
  }
  const hidden = incident.member_count - lines.length;
  return [title, ...lines, ...(hidden > 0 ? [more(hidden)] : [])].join("\n");
}

function more(count: number): string {
  return `- … and ${count} more, see link`;
}

const order: Readonly<Record<Severity, number>> = { critical: 0, error: 1, warning: 2, unknown: 3, info: 4 };

/** Firing before resolved, worst first, then oldest first: the order in which one looks at them. */
function worstFirst(left: IncidentMember, right: IncidentMember): number {
  return (
    Number(left.status === "resolved") - Number(right.status === "resolved") ||
    order[left.severity] - order[right.severity] ||
    left.episode.started_ms - right.episode.started_ms
  );
}

function memberLine(member: IncidentMember): string {
  const { alert } = member;
  const title = oneLine(alert.title);
  const place = [alert.host, alert.component].filter((part) => part !== undefined && !title.includes(part));
  const where = place.length === 0 ? "" : ` on ${oneLine(place.join(" / "))}`;
  const when =
    member.resolved_ms === null ? `since ${utc(member.episode.started_ms)}` : `resolved ${utc(member.resolved_ms)}`;
  const head = member.status === "firing" ? member.severity.toUpperCase() : `resolved (${member.severity})`;
  return `- ${clip(`${head} ${title}${where}`, lineMax)}, ${when}, from ${oneLine(alert.integration)}`;
}

/** Runbooks first, then dashboards: what one opens next. */
function links({ members }: TicketContent): string[] {
  const wanted = (["runbook", "dashboard"] as const).flatMap((rel) =>
    members.flatMap(({ alert }) => alert.links.filter((link) => link.rel === rel && isWebLink(link.href))),
  );
  const lines = wanted.map(({ rel, href }) => `${rel === "runbook" ? "Runbook" : "Dashboard"}: ${oneLine(href)}`);
  return lines.length === 0 ? [] : [[...new Set(lines)].slice(0, linksMax).join("\n")];
}

/** A link that is too long is left out, since half a link leads nowhere. */
function isWebLink(href: string): boolean {
  return /^https?:\/\//.test(href) && href.length <= hrefMax;
}

function grouping({ incident, members }: TicketContent): string {
  const key = incident.group_key.map((part) => `${part.k} = ${part.v}`).join(", ");
  const rule = clip(oneLine(`Opened by rule ${incident.rule.id}${key === "" ? "" : `, grouped by ${key}`}`), lineMax);
  const why = members.find(({ reason }) => reason.code === "rule_opened" || reason.code === "threshold_reached");
  return why === undefined ? `${rule}.` : `${rule}. ${why.reason.text}.`;
}

function footer({ incident, url }: TicketContent): string {
  return `Winnow incident ${incident.number}: ${url}`;
}
