import type { Alert } from "@winnow/contracts";
import { type AlertDetail, type AlertState, alertKey, alertPartitionKey, detailKey, partitionOf } from "@winnow/core";
import type { IncidentReader, WindowStore } from "@winnow/ports";
import { alertView } from "./views.ts";

/** Absent = any; of a list any may fit. */
export interface AlertFilter {
  readonly statuses?: readonly Alert["status"][];
  readonly integrations?: readonly string[];
  readonly severities?: readonly Alert["severity"][];
}

/** An alert with everything that is stored about it. */
export interface StoredAlert {
  readonly fingerprint: string;
  readonly state: AlertState;
  readonly detail: AlertDetail;
  /** The newest incident that has it. */
  readonly incidentId: string | null;
}

/** Where a scan stands: partition, and the last key seen there. */
interface ScanPlace {
  readonly partition: number;
  readonly after: string | null;
}

/** Rows looked at in one read. */
const scanStep = 500;

/** Reads alerts as stage A last committed them. */
export class Alerts {
  readonly #windows: WindowStore;
  readonly #store: IncidentReader;
  readonly #partitions: number;
  readonly #tenant: string;

  constructor(parts: { windows: WindowStore; store: IncidentReader; partitions: number; tenant: string }) {
    this.#windows = parts.windows;
    this.#store = parts.store;
    this.#partitions = parts.partitions;
    this.#tenant = parts.tenant;
  }

  async one(fingerprint: string): Promise<{ alert: Alert; detail: AlertDetail } | null> {
    const partition = partitionOf(alertPartitionKey(this.#tenant, fingerprint), this.#partitions);
    const keys = [alertKey(fingerprint), detailKey(fingerprint)];
    const rows = await this.#windows.peek({ stage: "A", partition }, keys);
    const [state, detail] = keys.map((key) => rows.find((row) => row.key === key)?.value);
    if (state === undefined || detail === undefined) return null;
    const parsed = JSON.parse(detail) as AlertDetail;
    const incident = await this.#store.incidentsOfAlerts([fingerprint]);
    const alert = alertView(JSON.parse(state) as AlertState, parsed, incident.get(fingerprint) ?? null);
    return { alert, detail: parsed };
  }

  /** A page in order of partition and fingerprint. A cursor that is not ours yields an empty last page. */
  async page(
    filter: AlertFilter,
    range: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ items: Alert[]; next_cursor: string | null }> {
    const from = parseCursor(range.cursor);
    if (from === null) return { items: [], next_cursor: null };
    const { alerts, next } = await this.#scan(filter, range.limit, from);
    const items = alerts.map(({ state, detail, incidentId }) => alertView(state, detail, incidentId));
    return { items, next_cursor: next === null ? null : cursorOf(next) };
  }

  /** Up to `limit` alerts with all that is stored of them, and whether there are more. */
  async stored(
    filter: AlertFilter,
    limit: number,
  ): Promise<{ readonly alerts: readonly StoredAlert[]; readonly more: boolean }> {
    const { alerts, next } = await this.#scan(filter, limit, { partition: 0, after: null });
    return { alerts, more: next !== null };
  }

  async #scan(
    filter: AlertFilter,
    limit: number,
    from: ScanPlace,
  ): Promise<{ alerts: StoredAlert[]; next: ScanPlace | null }> {
    const alerts: StoredAlert[] = [];
    let at = from;
    while (at.partition < this.#partitions && alerts.length < limit) {
      const step = await this.#step(at, limit - alerts.length, filter);
      alerts.push(...step.alerts);
      at = step.next;
    }
    return { alerts, next: at.partition < this.#partitions ? at : null };
  }

  /** Looks at a fixed number of rows, however few of them fit, and takes up to `room` that do. */
  async #step(at: ScanPlace, room: number, filter: AlertFilter): Promise<{ alerts: StoredAlert[]; next: ScanPlace }> {
    const place = { stage: "A" as const, partition: at.partition };
    const rows = await this.#windows.scan(place, { prefix: "a:", after: at.after, limit: scanStep });
    const fitting = rows
      .map((row) => ({ fingerprint: row.key.slice(2), state: JSON.parse(row.value) as AlertState }))
      .filter(({ state }) => fits(state, filter));
    const states = fitting.slice(0, room);
    const fingerprints = states.map(({ fingerprint }) => fingerprint);
    const details = await this.#details(place, fingerprints);
    const incidents = await this.#store.incidentsOfAlerts(fingerprints);
    const alerts = states.flatMap(({ fingerprint, state }) => {
      const detail = details.get(fingerprint);
      const incidentId = incidents.get(fingerprint) ?? null;
      return detail === undefined ? [] : [{ fingerprint, state, detail, incidentId }];
    });
    const cut = fitting.length > states.length ? states.at(-1) : undefined;
    if (cut !== undefined) return { alerts, next: { ...at, after: alertKey(cut.fingerprint) } };
    const last = rows.at(-1);
    const finished = last === undefined || rows.length < scanStep;
    return { alerts, next: finished ? { partition: at.partition + 1, after: null } : { ...at, after: last.key } };
  }

  async #details(
    place: { readonly stage: "A"; readonly partition: number },
    fingerprints: readonly string[],
  ): Promise<Map<string, AlertDetail>> {
    if (fingerprints.length === 0) return new Map();
    const rows = await this.#windows.peek(
      place,
      fingerprints.map((fingerprint) => detailKey(fingerprint)),
    );
    return new Map(rows.map((row) => [row.key.slice(2), JSON.parse(row.value) as AlertDetail]));
  }
}

function fits(state: AlertState, { statuses, severities, integrations }: AlertFilter): boolean {
  if (state.neverFired) return false;
  return (
    (statuses?.includes(state.status) ?? true) &&
    (severities?.includes(state.severity) ?? true) &&
    (integrations?.includes(state.integration) ?? true)
  );
}

function cursorOf(at: ScanPlace): string {
  return Buffer.from(JSON.stringify([at.partition, at.after])).toString("base64url");
}

/** Where a page begins; null for a cursor that is not ours. */
function parseCursor(cursor: string | undefined): ScanPlace | null {
  if (cursor === undefined) return { partition: 0, after: null };
  try {
    const [partition, after] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as [unknown, unknown];
    const isPartition = typeof partition === "number" && Number.isInteger(partition) && partition >= 0;
    return isPartition && (typeof after === "string" || after === null) ? { partition, after } : null;
  } catch {
    // Anybody may send any text as a cursor; the answer to it is an empty page.
    return null;
  }
}
