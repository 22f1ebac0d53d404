import { type Static, type TObject, type TSchema, Type } from "typebox";
import type { RuleLanguage } from "./config-rules.ts";
import { logLevels } from "./logging.ts";
import {
  address,
  byteSize,
  cidr,
  duration,
  filePath,
  httpUrl,
  named,
  secret,
  secrets,
  timeZone,
} from "./yaml-schema.ts";

const closed = { additionalProperties: false } as const;
const kib = 1_024;
const mib = 1_024 * kib;

/** What the configuration's schema is completed with: the parts that packages above this one own. */
export interface ConfigParts {
  /** The settings of each kind of destination, by type; object schemas. */
  readonly sinkSchemas: Readonly<Record<string, TSchema>>;
  /** Names of the kinds of inbound tools. */
  readonly sourceTypes: readonly string[];
  readonly rules: RuleLanguage;
}

/** Named maxima of a configuration. */
export const configLimits = {
  integrationsMax: 1_000,
  destinationsMax: 200,
  includesMax: 50,
  /** Files of one configuration, and what they hold together, UTF-16 units. */
  filesMax: 200,
  textLengthMax: 8 * mib,
  rulesMax: 5_000,
  routesMax: 1_000,
} as const;

const auth = Type.Object(
  {
    bearer: Type.Optional(secrets({ description: "Authorization: Bearer TOKEN" })),
    header: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            pattern: "^[A-Za-z0-9-]{1,64}$",
            default: "X-Winnow-Token",
            description: "Name of the header",
          }),
          value: secrets({ description: "Its whole value" }),
        },
        { ...closed, description: "A header of its own" },
      ),
    ),
    basic: Type.Optional(
      Type.Object(
        {
          username: Type.Optional(
            Type.String({ minLength: 1, maxLength: 255, description: "Any name where it is absent" }),
          ),
          password: secrets(),
        },
        { ...closed, description: "Authorization: Basic" },
      ),
    ),
    query: Type.Optional(secrets({ description: "?token=TOKEN, for tools that can send only a URL" })),
    path: Type.Optional(secrets({ description: "/v1/in/NAME/TOKEN, for tools that can send only a URL" })),
  },
  {
    ...closed,
    minProperties: 1,
    maxProperties: 1,
    description:
      "How this tool shows who it is. Without it: the installation's token. Two secrets while one is replaced",
  },
);

function source(sourceTypes: readonly string[]) {
  return Type.Object(
    {
      type: Type.Enum([...sourceTypes], { description: "Kind of tool" }),
      auth: Type.Optional(auth),
      environment: Type.Optional(
        Type.String({ minLength: 1, maxLength: 255, description: "Where the alert names none" }),
      ),
      scope: Type.Optional(
        Type.String({
          pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
          description: "Correlate this tool's alerts apart from the others'",
        }),
      ),
      identity: Type.Optional(
        Type.Array(Type.String({ minLength: 1 }), {
          minItems: 1,
          maxItems: 16,
          description: "What makes two messages the same alert, instead of the tool's own recipe: [host, labels.check]",
        }),
      ),
      identity_exclude: Type.Array(Type.String({ minLength: 1 }), {
        maxItems: 64,
        default: [],
        description: "Labels left out of the identity, such as replica or pod",
      }),
      time_zone: Type.Optional(timeZone({ description: "Of tools that send local time without a zone" })),
    },
    { ...closed, title: "Integration" },
  );
}

/** What every destination has, whatever its type. */
const destination = Type.Object(
  {
    mode: Type.Enum(["dry_run", "live"] as const, {
      default: "dry_run",
      description: "dry_run writes nothing at the destination and shows what it would have done",
    }),
    max_creates_per_minute: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 100_000,
      description: "Bounds a storm: beyond it new tickets wait, P1 first",
    }),
    allow_networks: Type.Array(cidr(), {
      maxItems: 64,
      default: [],
      description: "Private networks that its address may lie in",
    }),
    ca: Type.Optional(filePath({ description: "PEM file with further certificate authorities" })),
  },
  closed,
);

function destinations(sinkSchemas: Readonly<Record<string, TSchema>>): TSchema {
  const kinds = Object.entries(sinkSchemas).map(([type, schema]) => {
    const own = schema as TObject;
    const properties = { type: Type.Literal(type), ...destination.properties, ...own.properties };
    return Type.Object(properties, { ...closed, title: `Destination of type ${type}` });
  });
  return named(Type.Union(kinds, { "x-choose-by": "type" }), {
    maxProperties: configLimits.destinationsMax,
    description: "Where tickets and messages go. Without any, a destination `log` prints them",
  });
}

const retention = Type.Object(
  {
    log: Type.Object(
      {
        max_age: duration({ default: "7d", min: 60_000 }),
        max_bytes: byteSize({ default: "20GiB", min: mib }),
      },
      { ...closed, default: {}, description: "Accepted events as they came; removed only once they are worked off" },
    ),
    incidents: Type.Object(
      { max_age: duration({ default: "400d", min: 3_600_000, description: "Counted from closing" }) },
      { ...closed, default: {} },
    ),
  },
  { ...closed, default: {}, description: "What is kept, and how long" },
);

const limits = Type.Object(
  {
    body_bytes: byteSize({
      default: "5MiB",
      min: kib,
      max: 64 * mib,
      description: "Of one request, unpacked; beyond it 413",
    }),
    json_depth: Type.Integer({ default: 64, minimum: 8, maximum: 256, description: "Nesting of a JSON body" }),
    items_per_delivery: Type.Integer({
      default: 20_000,
      minimum: 1,
      maximum: 100_000,
      description: "Alerts in one request",
    }),
    inflate_ratio: Type.Integer({
      default: 100,
      minimum: 2,
      maximum: 1_100,
      description: "Unpacked size to packed size",
    }),
    dead_letter_bytes: byteSize({
      default: "256KiB",
      min: kib,
      max: 4 * mib,
      description: "Kept of what cannot be read",
    }),
    request_timeout: duration({
      default: "10s",
      min: 1_000,
      max: 300_000,
      description: "For a whole request to arrive; beyond it 408",
    }),
    pending_bytes: byteSize({
      default: "64MiB",
      min: mib,
      description: "Of all requests not yet on disk; beyond it 503",
    }),
    pending_deliveries: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: "Requests not yet on disk; beyond it 503",
    }),
    free_space: byteSize({ default: "256MiB", description: "Left on the data directory's disk; below it 503" }),
    drain: duration({
      default: "0s",
      max: 300_000,
      description: "How long a stopping process still takes deliveries once it is not ready, for balancers to notice",
    }),
    commit_interval: duration({
      default: "250ms",
      min: 10,
      max: 10_000,
      description: "Longest time between two commits of a partition",
    }),
    commit_events: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: "Most alerts in one commit",
    }),
  },
  { ...closed, default: {}, description: "Named maxima" },
);

const basics = Type.Object({
  version: Type.Literal(1, { default: 1, description: "Of this format" }),
  listen: address({ default: "127.0.0.1:8080", description: "Webhooks, API and console; port 0 picks a free one" }),
  token: Type.Optional(
    secret({
      description:
        "The installation's token; made in the data directory where it is absent. Nodes of a cluster share one",
    }),
  ),
  log: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2_048,
      description:
        "kafka://HOST:PORT,… of a cluster, kafkas:// with TLS; files in the data directory where it is absent",
    }),
  ),
  windows: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2_048,
      description:
        "redis://HOST:PORT of a cluster, rediss:// with TLS; a file in the data directory where it is absent",
    }),
  ),
  store: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2_048,
      description: "postgres://USER@HOST/DATABASE; a file in the data directory where it is absent",
    }),
  ),
  ack_after: Type.Enum(["replicated", "disk"] as const, {
    default: "replicated",
    description: "With Kafka: when a delivery is acknowledged; replicated waits 250 ms for Kafka at most",
  }),
  spool_keep: duration({
    default: "72h",
    min: 60_000,
    description: "With Kafka: how long a receiver keeps what it has sent, to feed a cluster again that lost its tail",
  }),
  data: Type.Optional(
    filePath({ description: "Data directory; ./data below the working directory where it is absent" }),
  ),
  public_url: Type.Optional(httpUrl({ description: "How people reach the console: links in tickets start with it" })),
  log_level: Type.Enum([...logLevels], { default: "info" }),
  partitions: Type.Integer({
    default: 4,
    minimum: 2,
    maximum: 64,
    description: "Fixed once the data directory exists",
  }),
  include: Type.Array(Type.String({ minLength: 1 }), {
    maxItems: configLimits.includesMax,
    default: [],
    description:
      "Further files with sources, rules, routes and destinations, such as rules/*.yaml; in order of their names",
  }),
  alertmanager_listen: Type.Optional(
    Type.Object(
      {
        listen: address({ default: "127.0.0.1:9093" }),
        integration: Type.String({ description: "Which source of type alertmanager takes what arrives there" }),
      },
      {
        ...closed,
        description: "Alertmanager's API at the root of a listener of its own, for tools with a fixed path",
      },
    ),
  ),
  retention,
  limits,
});

/** The schema of a whole configuration file. */
export function configSchema(parts: ConfigParts): TSchema {
  return Type.Object(
    {
      ...basics.properties,
      ...shared(parts),
      priority: parts.rules.schemas.priority,
    },
    { ...closed, title: "Winnow configuration" },
  );
}

/** The schema of a file named by `include`. */
export function includedSchema(parts: ConfigParts): TSchema {
  const { version } = basics.properties;
  return Type.Object({ version, ...shared(parts) }, { ...closed, title: "Included part of a Winnow configuration" });
}

function shared(parts: ConfigParts) {
  const plain = { "x-interpolate": false } as const;
  const { rule, route } = parts.rules.schemas;
  return {
    sources: Type.Optional(
      named(source(parts.sourceTypes), {
        maxProperties: configLimits.integrationsMax,
        description: "Integrations by name. Without any, every kind of tool is one under its own name",
      }),
    ),
    rules: Type.Optional(
      Type.Array(rule, {
        ...plain,
        maxItems: configLimits.rulesMax,
        description: "The first rule that fits groups the alert. Without any, one incident per service",
      }),
    ),
    routes: Type.Optional(
      Type.Array(route, {
        maxItems: configLimits.routesMax,
        description: "Which incident goes where. Without any, everything goes to every destination",
      }),
    ),
    destinations: Type.Optional(destinations(parts.sinkSchemas)),
  };
}

/** Every key that a configuration file may have at its top. */
export const configKeys = [
  ...(Object.keys(basics.properties) as (keyof typeof basics.properties)[]),
  "sources",
  "rules",
  "routes",
  "destinations",
  "priority",
] as const;

export type BasicsYaml = Static<typeof basics>;
export type AuthYaml = Static<typeof auth>;
export type SourceYaml = Static<ReturnType<typeof source>>;
export type DestinationYaml = Static<typeof destination> & { readonly type: string } & Readonly<
    Record<string, unknown>
  >;
export type SharedYaml = {
  readonly sources?: Readonly<Record<string, SourceYaml>>;
  readonly rules?: readonly unknown[];
  readonly routes?: readonly unknown[];
  readonly destinations?: Readonly<Record<string, DestinationYaml>>;
};
export type ConfigYaml = BasicsYaml & SharedYaml & { readonly priority: unknown };
/** Keys of a destination that every type has. */
export const destinationKeys: readonly string[] = ["type", ...Object.keys(destination.properties)];
