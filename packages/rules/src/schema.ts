import { duration, scalarText } from "@winnow/platform";
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;

/** Named maxima of a rule set. */
export const ruleLimits = {
  rulesMax: 5_000,
  routesMax: 1_000,
  conditionsMax: 32,
  valuesMax: 1_000,
  groupByMax: 8,
  /** UTF-16 units of a glob or RE2 pattern. */
  patternLengthMax: 512,
  /** Instructions of a compiled RE2 pattern: bounds the work per character. */
  patternSizeMax: 1_000,
  /** UTF-16 units of a value that a pattern looks at; what lies beyond is not seen. */
  patternInputMax: 8_192,
} as const;

const patternText = { minLength: 1, maxLength: ruleLimits.patternLengthMax } as const;

const tests = {
  glob: Type.Optional(
    Type.String({
      ...patternText,
      description: "The whole value; * any text, ? one character, \\ takes the next as it is",
    }),
  ),
  re: Type.Optional(Type.String({ ...patternText, description: "RE2 pattern that the whole value must match" })),
  exists: Type.Optional(Type.Boolean({ description: "Whether the field is there" })),
} as const;

const oneOf = { ...closed, minProperties: 1, maxProperties: 1 } as const;
const values = Type.Array(scalarText(), { minItems: 1, maxItems: ruleLimits.valuesMax });
const plainTest = Type.Object(tests, oneOf);
const negated = Type.Union([scalarText(), values, plainTest]);
const test = Type.Object({ ...tests, not: Type.Optional(negated) }, oneOf);

/** What may stand behind a field: a value, a list of values, or one of glob, re, exists, not. */
export const matchValue = Type.Union([scalarText(), values, test]);
export type MatchValue = Static<typeof matchValue>;

const match = Type.Record(Type.String(), matchValue, {
  maxProperties: ruleLimits.conditionsMax,
  default: {},
  description: "Field: value, [values], { glob }, { re }, { exists } or { not }. All must hold; none always holds",
});

const level = (description: string) => Type.Optional(Type.Enum(["high", "medium", "low"] as const, { description }));
const words = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 255, description }));

const window = Type.Object(
  {
    type: Type.Enum(["fixed", "rolling", "until_resolved"] as const, {
      default: "until_resolved",
      description: "fixed: length after opening; rolling: gap after the last alert; until_resolved: while it is open",
    }),
    length: Type.Optional(duration({ description: "Of a fixed window", min: 1_000 })),
    gap: Type.Optional(duration({ description: "Of a rolling window", min: 1_000 })),
    max_age: duration({ default: "4h", min: 1_000, description: "Older incidents take no new alerts" }),
    max_alerts: Type.Integer({
      default: 1_000,
      minimum: 1,
      maximum: 100_000,
      description: "Fuller incidents take no more",
    }),
    reopen: duration({ default: "1h", description: "So long after resolving, the same incident opens again" }),
  },
  { ...closed, default: {}, description: "How long an incident takes alerts" },
);

const holdByPriority = Type.Object(
  {
    P1: Type.Optional(duration()),
    P2: Type.Optional(duration()),
    P3: Type.Optional(duration()),
    P4: Type.Optional(duration()),
    P5: Type.Optional(duration()),
    default: duration({ default: "60s", description: "For the priorities that are not named" }),
  },
  closed,
);

const incident = Type.Object(
  {
    title: Type.String({
      default: "{{title}}",
      minLength: 1,
      maxLength: 255,
      description: "{{field}} is filled in from the first alert",
    }),
    category: words("Such as software, network, database"),
    service: words("Instead of the alert's own"),
    impact: level("Instead of the computed one"),
    urgency: level("Instead of the one that follows from the severity"),
    assignment_group: words("Who gets the ticket"),
    contact: words("Whom to ask"),
  },
  { ...closed, default: {}, description: "What the incident says" },
);

export const ruleIdPattern = "^[a-z0-9][a-z0-9._-]{0,62}$";

/** One rule as people write it. */
export const ruleSchema = Type.Object(
  {
    id: Type.String({
      pattern: ruleIdPattern,
      "x-pattern-says": "small letters, digits, dot, - and _, at most 63",
      description: "Stable: it is part of every incident's key",
    }),
    stage: Type.Enum(["off", "shadow", "live"] as const, {
      default: "live",
      description: "shadow: evaluated and shown, takes no alert",
    }),
    match,
    group_by: Type.Array(Type.String(), {
      maxItems: ruleLimits.groupByMax,
      description: "Alerts with equal values become one incident; [] puts all into one",
    }),
    on_missing: Type.Enum(["separate", "skip", "shared"] as const, {
      default: "separate",
      description:
        "A group_by field is missing. separate: an incident of its own; skip: the next rule; shared: as if empty",
    }),
    window,
    min_alerts: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 1_000,
      description: "No incident below so many alerts",
    }),
    hold: Type.Union([duration(), holdByPriority], {
      default: { P1: "0s", default: "60s" },
      description: "Wait so long before a ticket opens, in case it heals by itself; one duration, or by priority",
    }),
    resolve_delay: duration({ default: "0s", description: "Wait so long after the last alert resolved" }),
    incident,
  },
  { ...closed, title: "Correlation rule" },
);
export type RuleYaml = Static<typeof ruleSchema>;

/** One route as people write it. */
export const routeSchema = Type.Object(
  {
    match,
    to: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 64, description: "Names of destinations" }),
    continue: Type.Boolean({ default: false, description: "Look at the next route too" }),
  },
  { ...closed, title: "Route" },
);
export type RouteYaml = Static<typeof routeSchema>;

const priority = (value: string) => Type.Enum(["P1", "P2", "P3", "P4", "P5"] as const, { default: value });
const row = (high: string, medium: string, low: string) =>
  Type.Object({ high: priority(high), medium: priority(medium), low: priority(low) }, { ...closed, default: {} });
const urgency = (value: string) => Type.Enum(["high", "medium", "low"] as const, { default: value });

/** Priority as people write it; every missing part has a default. */
export const prioritySchema = Type.Object(
  {
    matrix: Type.Object(
      { high: row("P1", "P2", "P3"), medium: row("P2", "P3", "P4"), low: row("P3", "P4", "P5") },
      { ...closed, default: {}, description: "Impact, then urgency" },
    ),
    urgency: Type.Object(
      {
        critical: urgency("high"),
        error: urgency("medium"),
        warning: urgency("low"),
        info: urgency("low"),
        unknown: urgency("medium"),
      },
      { ...closed, default: {}, description: "Urgency by severity" },
    ),
  },
  { ...closed, default: {}, title: "Priority" },
);
export type PriorityYaml = Static<typeof prioritySchema>;
