import type { Explanation, Incident, Member, TimelineRow, WhyNot } from "@winnow/contracts";
import { ticketColumns } from "./columns.ts";
import { priorityStyle, severityStyle, stateStyle } from "./styles.ts";
import { type Column, table } from "./table.ts";
import type { Style, Terminal } from "./terminal.ts";
import { age, ago, clockTime, count, plain, roughDuration, textWidth, wrap } from "./words.ts";

/** Everything that `winnow incident` shows. */
export interface Story {
  readonly incident: Incident;
  readonly members: { readonly rows: readonly Member[]; readonly isCut: boolean };
  readonly timeline: { readonly rows: readonly TimelineRow[]; readonly isCut: boolean };
  /** The decision that opened the incident; undefined where it is no longer known. */
  readonly opening: Explanation | undefined;
}

export interface StoryView {
  readonly terminal: Pick<Terminal, "paint" | "width" | "now">;
  readonly wide: boolean;
  /** Rows of the timeline shown at its beginning and at its end. */
  readonly headRows: number;
  readonly tailRows: number;
}

const indent = 2;
const indented = " ".repeat(indent);

/** The story in the order in which it is needed at night: what, how bad, who has it, since when, why, what happened. */
export function renderStory(story: Story, view: StoryView): string {
  const { incident, members } = story;
  const parts = [
    heading(incident, view),
    facts(story, view),
    section("Tickets", tickets(incident, view), view),
    section(membersTitle(incident), memberTable(members.rows, view) + more(members.isCut, "alerts"), view),
    section("Timeline (UTC)", timeline(story, view), view),
  ];
  return parts.join("\n");
}

/** `#42  P1  new  checkout: p99 above 2 s` */
export function incidentLine(incident: Incident, { paint }: Pick<Terminal, "paint">): string {
  const { number, priority, state, title } = incident;
  const words = [painted(paint, priorityStyle(priority), priority), painted(paint, stateStyle(state), state)];
  return [`#${number}`, ...words, paint("bold", plain(title))].join("  ");
}

function heading(incident: Incident, { terminal }: StoryView): string {
  return `${incidentLine(incident, terminal)}\n${terminal.paint("dim", situation(incident, terminal.now()))}\n`;
}

/** `2 of 3 alerts firing, opened 12m ago, last event 3m ago` */
function situation(incident: Incident, now: number): string {
  const { open_member_count, member_count, opened_at, last_event_at, acknowledged_at, resolved_at } = incident;
  const firing =
    open_member_count === 0
      ? `none of ${count(member_count, "alert")} firing`
      : `${open_member_count} of ${count(member_count, "alert")} firing`;
  const opened = `opened ${ago(opened_at, now)} ago`;
  if (resolved_at !== null) {
    const lasted = roughDuration(Date.parse(resolved_at) - Date.parse(opened_at));
    return `${firing}, ${opened}, resolved ${ago(resolved_at, now)} ago, lasted ${lasted}`;
  }
  const owner =
    acknowledged_at === null ? "nobody has acknowledged it" : `acknowledged ${ago(acknowledged_at, now)} ago`;
  return `${firing}, ${opened}, last event ${ago(last_event_at, now)} ago, ${owner}`;
}

function facts({ incident, opening }: Story, { terminal, wide }: StoryView): string {
  const { paint } = terminal;
  const { priority_inputs: inputs, rule, group_key, severity } = incident;
  const rows: (readonly [string, string | null])[] = [
    ["service", incident.service],
    ["environment", incident.environment],
    ["category", incident.category],
    ["severity", painted(paint, severityStyle(severity), severity)],
    [
      "priority",
      `${painted(paint, priorityStyle(incident.priority), incident.priority)} = impact ${inputs.impact} (${plain(inputs.impact_from)}) x urgency ${inputs.urgency} (${plain(inputs.urgency_from)})`,
    ],
    ["opened", clockTime(incident.opened_at)],
    ["rule", `${plain(rule.id)}${wide ? ` (rule set ${rule.digest.slice(0, 12)})` : ""}`],
    ["group", keyParts(group_key)],
    ...whyRows(opening, paint),
    ["before", incident.previous_id],
    ["merged into", incident.merged_into],
    ["id", incident.id],
  ];
  const said = rows.filter((row): row is readonly [string, string] => row[1] !== null && row[1] !== "");
  return `${said.map(([name, value]) => `${indented}${paint("dim", name.padEnd(12))} ${value}`).join("\n")}\n`;
}

/** Why the rule took the first alert, and why each rule before it did not. */
function whyRows(opening: Explanation | undefined, paint: Terminal["paint"]): (readonly [string, string])[] {
  if (opening === undefined) return [];
  const others = opening.why_not.map((not) => ["not", whyNotText(not, paint)] as const);
  return [["why", plain(opening.reason.text)], ...others];
}

/** `db-cluster: labels.cluster is (absent), wanted present` */
export function whyNotText({ rule_id, condition, expected, actual }: WhyNot, paint: Terminal["paint"]): string {
  const field = condition.split(":")[0] ?? condition;
  return `${plain(rule_id)}: ${plain(field)} is ${plain(actual)}, wanted ${plain(expected)} ${paint("dim", `(${plain(condition)})`)}`;
}

export function keyParts(parts: readonly { readonly k: string; readonly v: string }[]): string {
  return parts.map(({ k, v }) => `${plain(k)}=${plain(v)}`).join(", ");
}

function tickets(incident: Incident, { terminal, wide }: StoryView): string {
  const { deliveries } = incident;
  if (deliveries.length === 0) return `${indented}none: no route chose a destination, or the hold time still runs\n`;
  const rows = table(ticketColumns(terminal.now()), deliveries, terminal, { wide, indent });
  const below = deliveries.flatMap(({ destination, remote_url, last_error }) => [
    ...(remote_url === null || wide ? [] : [plain(remote_url)]),
    ...(last_error === null
      ? []
      : [terminal.paint("red", `${destination}: ${last_error.code}: ${plain(last_error.message)}`)]),
  ]);
  return [rows, ...below.map((line) => `${indented}${line}\n`)].join("");
}

function membersTitle({ open_member_count, member_count }: Incident): string {
  return `Alerts (${open_member_count} firing, ${member_count - open_member_count} resolved)`;
}

function memberTable(rows: readonly Member[], { terminal, wide }: StoryView): string {
  const now = terminal.now();
  const columns: readonly Column<Member>[] = [
    { head: "STATUS", cell: ({ status }) => status, style: ({ status }) => stateStyle(status) },
    { head: "SEVERITY", cell: ({ severity }) => severity, style: ({ severity }) => severityStyle(severity) },
    { head: "SINCE", cell: (row) => age(row.resolved_at ?? row.episode.started_at, now), align: "right" },
    { head: "TITLE", cell: ({ title }) => title, flexible: true },
    { head: "HOST", cell: ({ host }) => host ?? "-" },
    { head: "INTEGRATION", cell: ({ integration }) => integration },
    { head: "SERVICE", cell: ({ service }) => service ?? "-", wide: true },
    { head: "JOINED BECAUSE", cell: ({ reason }) => reason.code, wide: true },
    { head: "FINGERPRINT", cell: ({ fingerprint }) => fingerprint, wide: true },
  ];
  // Firing ones first, as they are what is left to do; the order within is the API's.
  const sorted = rows.toSorted((left, right) => Number(left.status !== "firing") - Number(right.status !== "firing"));
  return table(columns, sorted, terminal, { wide, indent });
}

function timeline(story: Story, view: StoryView): string {
  const { members } = story;
  const { rows, isCut } = story.timeline;
  const titles = new Map(members.rows.map(({ fingerprint, title }) => [fingerprint, title]));
  let day = "";
  const { headRows, tailRows } = view;
  const hidden = Math.max(0, rows.length - headRows - tailRows);
  const lines = rows.flatMap((row, index) => {
    if (hidden > 0 && index === headRows) return [`${indented}… ${count(hidden, "row")} between: --all shows them`];
    if (hidden > 0 && index > headRows && index < headRows + hidden) return [];
    const text = timelineLine(row, { story, title: titles.get(row.fingerprint ?? ""), view });
    const today = row.at.slice(0, 10);
    const isNew = today !== day;
    day = today;
    return isNew ? [indented + view.terminal.paint("dim", today), text] : [text];
  });
  return `${lines.join("\n")}\n${more(isCut, "rows")}`;
}

/** Columns that time, offset and kind take in a line of the timeline. */
const timelineMargin = indent + 8 + 1 + 7 + 2 + 16 + 1;

function timelineLine(
  row: TimelineRow,
  { story, title, view }: { readonly story: Story; readonly title: string | undefined; readonly view: StoryView },
): string {
  const { paint, width } = view.terminal;
  const offset = `+${roughDuration(Date.parse(row.at) - Date.parse(story.incident.opened_at))}`.padStart(7);
  const kind = row.kind.replaceAll("_", " ").padEnd(16);
  const start = `${indented}${row.at.slice(11, 19)} ${paint("dim", offset)}  ${painted(paint, kindStyle(row), kind)} `;
  const room = width === null ? Number.POSITIVE_INFINITY : Math.max(24, width - timelineMargin);
  const { what, evidence } = tell(row, title, story.incident);
  const lines = [...wrap(what, room)];
  const last = lines.at(-1) ?? "";
  const fits = evidence === "" || textWidth(last) + 2 + textWidth(evidence) <= room;
  const aside = fits ? [] : wrap(evidence, room).map((line) => paint("dim", line));
  if (fits && evidence !== "") lines[lines.length - 1] = `${last}  ${paint("dim", evidence)}`;
  return start + [...lines, ...aside].join(`\n${" ".repeat(timelineMargin)}`);
}

/**
 * What happened, with what it is about in front: the alert, the ticket, the change. The rest of the evidence aside,
 * but for what the incident's head says of all its rows: rule and group.
 */
function tell(
  row: TimelineRow,
  title: string | undefined,
  incident: Incident,
): { readonly what: string; readonly evidence: string } {
  const { actor, text, reason } = row;
  const {
    person: _,
    group_key: __,
    alert,
    destination,
    ticket,
    destinations,
    from,
    to,
    ...others
  } = reason.evidence ?? {};
  const about = [
    title ?? alert,
    [destination, ticket].filter((part) => part !== undefined).join(" "),
    Array.isArray(destinations) ? destinations.join(", ") : destinations,
    from === undefined || to === undefined ? undefined : `${shown(from)} to ${shown(to)}`,
  ];
  const head = about.filter((part) => part !== undefined && part !== "").map((part) => `${shown(part ?? "")}: `);
  const isPerson = reason.code.startsWith("person_") || reason.code === "action_refused";
  const who = isPerson ? `${plain(actor)}: ` : "";
  const said = text === null ? "" : plain(text);
  const because = plain(reason.text);
  const isQuote = isPerson && said !== "" && reason.code !== "action_refused";
  const what = isQuote ? who + said : `${who}${head.join("")}${because}${said === "" ? "" : ` (${said})`}`;
  const rule = reason.rule_id === null || reason.rule_id === incident.rule.id ? [] : [`rule=${plain(reason.rule_id)}`];
  const rest = Object.entries(others).map(([name, value]) => `${plain(name)}=${shown(value)}`);
  return { what, evidence: [...rule, ...rest].join(", ") };
}

function shown(value: string | number | boolean | readonly string[]): string {
  return plain(typeof value === "object" ? value.join(",") : String(value));
}

function kindStyle({ kind, reason }: TimelineRow): Style | null {
  if (reason.code === "delivery_failed" || reason.code === "delivery_unknown") return "yellow";
  if (kind === "opened" || kind === "reopened") return "bold";
  if (kind === "resolved" || kind === "member_resolved") return "green";
  if (kind === "acknowledged" || kind === "noted") return "cyan";
  return null;
}

function section(title: string, body: string, { terminal }: StoryView): string {
  return `${terminal.paint("bold", title)}\n${body}`;
}

function more(isCut: boolean, noun: string): string {
  return isCut ? `${indented}… and more ${noun}: --all shows them\n` : "";
}

function painted(paint: Terminal["paint"], style: Style | null, text: string): string {
  return style === null ? text : paint(style, text);
}
