import type { Alert, DeadLetter, Delivery, Incident } from "@winnow/contracts";
import { openApi, type Page, type Query } from "../client/api.ts";
import { alertColumns, deadLetterColumns, deliveryColumns, incidentColumns } from "./columns.ts";
import { exitCodes, usage } from "./exit-codes.ts";
import { type Invocation, show } from "./invocation.ts";
import { type Column, table } from "./table.ts";

export interface GetOptions {
  readonly state?: readonly string[];
  readonly priority?: readonly string[];
  readonly status?: readonly string[];
  readonly q?: string;
  readonly integration?: string;
  readonly destination?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly all?: boolean;
}

/** What a list is called, where it is, and how its rows look. */
interface List<Row> {
  readonly path: string;
  /** In the plural. */
  readonly noun: string;
  readonly columns: (now: number) => readonly Column<Row>[];
}

export async function getIncidents(invocation: Invocation<GetOptions>): Promise<number> {
  return await get<Incident>(invocation, { path: "v1/incidents", noun: "incidents", columns: incidentColumns });
}

export async function getAlerts(invocation: Invocation<GetOptions>): Promise<number> {
  return await get<Alert>(invocation, { path: "v1/alerts", noun: "alerts", columns: alertColumns });
}

export async function getDeliveries(invocation: Invocation<GetOptions>): Promise<number> {
  return await get<Delivery>(invocation, { path: "v1/deliveries", noun: "deliveries", columns: deliveryColumns });
}

export async function getDeadLetters(invocation: Invocation<GetOptions>): Promise<number> {
  return await get<DeadLetter>(invocation, {
    path: "v1/dead-letters",
    noun: "dead letters",
    columns: deadLetterColumns,
  });
}

async function get<Row>(invocation: Invocation<GetOptions>, list: List<Row>): Promise<number> {
  const { options, terminal } = invocation;
  const page = await fetchRows<Row>(invocation, list.path);
  await show(invocation, page, (wide) =>
    page.items.length === 0 ? "" : table(list.columns(terminal.now()), page.items, terminal, { wide }),
  );
  const isForPeople = options.output === "table" || options.output === "wide";
  if (isForPeople && page.items.length === 0) terminal.say(`no ${list.noun}${isFiltered(options) ? " fit" : ""}`);
  if (isForPeople && page.next_cursor !== null) {
    terminal.say(`there are more ${list.noun}: --all, or --cursor ${page.next_cursor}`);
  }
  return exitCodes.ok;
}

async function fetchRows<Row>({ options, terminal }: Invocation<GetOptions>, path: string): Promise<Page<Row>> {
  const { limit, cursor, all } = options;
  if (all === true && (limit !== undefined || cursor !== undefined)) {
    throw usage("--all goes without --limit and --cursor");
  }
  const api = await openApi(terminal, options);
  const query: Query = { ...filters(options), ...(cursor === undefined ? {} : { cursor }) };
  if (all === true) return await api.pages<Row>(path, query, Number.POSITIVE_INFINITY);
  return limit === undefined ? await api.page<Row>(path, query) : await api.pages<Row>(path, query, limit);
}

function filters(options: GetOptions): Query {
  const { state, priority, status, q, integration, destination } = options;
  const said = {
    state: state?.join(","),
    priority: priority?.join(","),
    status: status?.join(","),
    q,
    integration,
    destination,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function isFiltered(options: GetOptions): boolean {
  return Object.keys(filters(options)).length > 0;
}
