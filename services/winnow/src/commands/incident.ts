import type { Explanation, Incident, Member, TimelineRow } from "@winnow/contracts";
import { type Api, openApi, type Page, segment } from "../client/api.ts";
import { exitCodes } from "./exit-codes.ts";
import { renderStory, type Story } from "./incident-story.ts";
import { argument, type Invocation, show } from "./invocation.ts";

export interface StoryOptions {
  readonly all?: boolean;
}

/** Alerts shown without `--all`. */
const membersShown = 50;
/** Rows of the timeline read without `--all`, and how many of them are shown: the beginning and the end tell most. */
const timelineRead = 5_000;
const timelineShown = { headRows: 10, tailRows: 60 };
const everything = { headRows: Number.POSITIVE_INFINITY, tailRows: 0 };

/** `winnow incident ID`: JSON and YAML print the incident as the API has it, a table the whole story. */
export async function incident(invocation: Invocation<StoryOptions>): Promise<number> {
  const { options, terminal } = invocation;
  const api = await openApi(terminal, options);
  const path = incidentPath(argument(invocation, 0));
  if (options.output === "json" || options.output === "yaml") {
    await show(invocation, await api.get(path), () => "");
    return exitCodes.ok;
  }
  const all = options.all === true;
  const story = await readStory(api, path, all);
  const wide = options.output === "wide";
  terminal.out(renderStory(story, { terminal, wide, ...(all ? everything : timelineShown) }));
  if (story.incident.state === "new") {
    terminal.say(terminal.paintTalk("dim", `next: winnow ack ${story.incident.number} "I am looking at it"`));
  }
  return exitCodes.ok;
}

/** `42`, `#42` or the id. */
export function incidentPath(name: string): string {
  return `v1/incidents/${segment(name.replace(/^#(?=\d+$)/, ""))}`;
}

async function readStory(api: Api, path: string, all: boolean): Promise<Story> {
  const found = (await api.get(path)) as Incident;
  // By id from here on: a number would be looked up each time.
  const home = `v1/incidents/${segment(found.id)}`;
  const [members, timeline, decisions] = await Promise.all([
    api.pages<Member>(`${home}/members`, {}, all ? Number.POSITIVE_INFINITY : membersShown),
    api.pages<TimelineRow>(`${home}/timeline`, {}, all ? Number.POSITIVE_INFINITY : timelineRead),
    api.page<Explanation>(`${home}/explanation`, { limit: 1 }),
  ]);
  return { incident: found, members: rest(members), timeline: rest(timeline), opening: decisions.items[0] };
}

function rest<Row>(page: Page<Row>): { readonly rows: readonly Row[]; readonly isCut: boolean } {
  return { rows: page.items, isCut: page.next_cursor !== null };
}
