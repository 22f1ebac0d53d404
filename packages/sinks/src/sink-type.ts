import type { HttpClient, HttpClientOptions } from "@winnow/platform";
import type { Clock, SinkClass, TicketSink } from "@winnow/ports";
import type { Static, TSchema } from "typebox";
import type { FakeOptions, FakeServer } from "./fake/server.ts";

/** The part of a logger that sinks use; pino's fits. */
export interface SinkLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What a configured destination is built with. */
export interface SinkContext {
  /** The destination's name in the configuration. */
  readonly destination: string;
  /** Makes the destination's HTTP client; `allow_networks` and CA of the destination are filled in already. */
  readonly httpClient: (options?: Omit<HttpClientOptions, "allowNetworks" | "ca">) => HttpClient;
  readonly clock: Clock;
  readonly log: SinkLog;
  /** Prints one line for people; `line` carries no line end. */
  readonly print: (line: string) => void;
}

/** One kind of destination: one folder, one registry line. */
export interface SinkType {
  /** Name in the configuration, and of the folder. */
  readonly type: string;
  /** Name for people. */
  readonly title: string;
  readonly class: SinkClass;
  /** Says what is promised about doubled tickets; printed as it is, and written in the README. */
  readonly guarantee: string;
  /** Schema of the type's own settings, without those that every destination has (type, mode, allow_networks …). */
  readonly configSchema: TSchema;
  /** `config` has been checked against the schema. Throws `config_invalid` for what a schema cannot say. */
  create(config: unknown, context: SinkContext): TicketSink;
  /** A stateful fake of the vendor, for the demo and for tests. */
  readonly fake?: SinkFake;
}

export interface SinkFake {
  start(options: FakeOptions): Promise<FakeServer>;
  /** Settings for `create` that reach the fake at `url`. */
  config(url: string): unknown;
  /** Secrets in that configuration, in every form in which they travel: they must never come back in a result. */
  readonly secrets: readonly string[];
  /** Tickets as the fake holds them now, for judges in tests. */
  tickets(server: FakeServer): readonly FakeTicket[];
}

/** A ticket as a judge sees it, whatever the vendor calls its fields. */
export interface FakeTicket {
  readonly remote_id: string;
  readonly key: string;
  readonly state: "open" | "resolved" | "closed";
  readonly title: string;
  readonly description: string;
  /** Oldest first. */
  readonly notes: readonly string[];
}

/** Ties a schema to the type of the settings that `create` takes. */
export function defineSink<Schema extends TSchema>(
  definition: Omit<SinkType, "configSchema" | "create"> & {
    readonly configSchema: Schema;
    create(config: Static<Schema>, context: SinkContext): TicketSink;
  },
): SinkType {
  return {
    ...definition,
    create: (config, context) => definition.create(config as Static<Schema>, context),
  };
}
