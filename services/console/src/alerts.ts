import type { Alert } from "@winnow/contracts";
import { type AlertDetail, type AlertState, alertKey, alertPartitionKey, detailKey, partitionOf } from "@winnow/core";
import type { IncidentReader, WindowStore } from "@winnow/ports";
import { alertView } from "./views.ts";

export interface AlertFilter {
  readonly status?: Alert["status"];
  readonly integration?: string;
  readonly severity?: Alert["severity"];
}

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

  /** A page in order of partition and fingerprint. The cursor is opaque to callers. */
  async page(
    filter: AlertFilter,
    range: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ items: Alert[]; next_cursor: string | null }> {
    const items: Alert[] = [];
    let at = parseCursor(range.cursor);
    while (at.partition < this.#partitions) {
      const wanted = Math.min(scanStep, Math.max(range.limit - items.length, 1));
      const step = await this.#step(at, wanted, filter);
      items.push(...step.alerts);
      at = step.next;
      if (items.length >= range.limit) break;
    }
    const more = at.partition < this.#partitions;
    return { items, next_cursor: more ? cursorOf(at) : null };
  }

  async #step(
    at: { readonly partition: number; readonly after: string | null },
    limit: number,
    filter: AlertFilter,
  ): Promise<{ alerts: Alert[]; next: { partition: number; after: string | null } }> {
    const place = { stage: "A" as const, partition: at.partition };
    const rows = await this.#windows.scan(place, { prefix: "a:", after: at.after, limit });
    const states = rows
      .map((row) => ({ fingerprint: row.key.slice(2), state: JSON.parse(row.value) as AlertState }))
      .filter(({ state }) => fits(state, filter));
    const details = await this.#details(
      place,
      states.map(({ fingerprint }) => fingerprint),
    );
    const incidents = await this.#store.incidentsOfAlerts(states.map(({ fingerprint }) => fingerprint));
    const alerts = states.flatMap(({ fingerprint, state }) => {
      const detail = details.get(fingerprint);
      return detail === undefined ? [] : [alertView(state, detail, incidents.get(fingerprint) ?? null)];
    });
    const last = rows.at(-1);
    const finished = last === undefined || rows.length < limit;
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

function fits(state: AlertState, filter: AlertFilter): boolean {
  if (state.neverFired) return false;
  if (filter.status !== undefined && state.status !== filter.status) return false;
  if (filter.severity !== undefined && state.severity !== filter.severity) return false;
  return filter.integration === undefined || state.integration === filter.integration;
}

function cursorOf(at: { partition: number; after: string | null }): string {
  return Buffer.from(JSON.stringify([at.partition, at.after])).toString("base64url");
}

function parseCursor(cursor: string | undefined): { partition: number; after: string | null } {
  if (cursor === undefined) return { partition: 0, after: null };
  try {
    const [partition, after] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as [unknown, unknown];
    if (typeof partition === "number" && (typeof after === "string" || after === null)) return { partition, after };
  } catch {
    // An unreadable cursor is a caller's mistake: it starts over, as documented.
  }
  return { partition: 0, after: null };
}
