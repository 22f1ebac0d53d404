import { resolve } from "node:path";
import type { RuleSet } from "@winnow/contracts";
import { type CheckedFile, type ConfigFiles, diskFiles, type FileSet, readConfigFiles } from "./config-files.ts";
import {
  type AuthYaml,
  type ConfigParts,
  type ConfigYaml,
  configSchema,
  type DestinationYaml,
  destinationKeys,
  includedSchema,
  type SharedYaml,
  type SourceYaml,
} from "./config-schema.ts";
import { WinnowError } from "./errors.ts";
import type { LogLevel } from "./logging.ts";
import type { Environment, Secret } from "./secrets.ts";
import { checkYaml } from "./yaml-check.ts";
import type { ProblemSays, YamlText } from "./yaml-parse.ts";
import { formatErrors, type PathPart, suggest, type YamlProblem } from "./yaml-problems.ts";
import type { HostPort } from "./yaml-schema.ts";

export type InboundAuthKind = "bearer" | "header" | "basic" | "query" | "path";

/** One live secret of an integration, and where it must stand. */
export interface InboundCredential {
  readonly kinds: readonly InboundAuthKind[];
  readonly secret: Secret;
  /** Kind `header`: its name. */
  readonly header?: string;
  /** Kind `basic`: the user name; any name goes where it is absent. */
  readonly username?: string;
}

export interface IntegrationConfig {
  readonly name: string;
  /** Kind of tool. */
  readonly type: string;
  /** One or two; null = the installation's token guards it. */
  readonly credentials: readonly InboundCredential[] | null;
  readonly environment: string | null;
  readonly scope: string | null;
  readonly identity: readonly string[] | null;
  readonly identity_exclude: readonly string[];
  readonly time_zone: string | null;
}

export interface DestinationConfig {
  readonly name: string;
  readonly type: string;
  readonly mode: "dry_run" | "live";
  readonly max_creates_per_minute: number;
  readonly allow_networks: readonly string[];
  /** Absolute path of a PEM file. */
  readonly ca: string | null;
  /** The type's own settings, checked against its schema, defaults filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A whole configuration, checked. Durations are ms, sizes bytes, paths absolute. */
export interface Config {
  /** Absolute path of the file; null = there is none. */
  readonly file: string | null;
  readonly listen: HostPort;
  readonly data: string;
  /** null = the data directory's own. */
  readonly token: Secret | null;
  /** URLs of a cluster's servers; null = files in the data directory. */
  readonly log: string | null;
  readonly windows: string | null;
  readonly store: string | null;
  readonly ack_after: ConfigYaml["ack_after"];
  readonly spool_keep: number;
  readonly public_url: string | null;
  readonly log_level: LogLevel;
  readonly partitions: number;
  /** In the order of the file; every kind of tool under its own name where the file has none. */
  readonly integrations: readonly IntegrationConfig[];
  readonly alertmanager_listen: { readonly listen: HostPort; readonly integration: string } | null;
  /** The catch-all is its last rule. */
  readonly rule_set: RuleSet;
  /** A printing destination `log` where the file has none. */
  readonly destinations: readonly DestinationConfig[];
  readonly retention: ConfigYaml["retention"];
  readonly limits: ConfigYaml["limits"];
}

export interface LoadOptions extends ConfigParts {
  /** The configuration file, absolute or below `cwd`; null = none, all defaults. */
  readonly file: string | null;
  readonly cwd: string;
  readonly env: Environment;
  /** The disk where none is given. */
  readonly files?: ConfigFiles;
}

export type LoadedConfig = {
  readonly warnings: readonly YamlProblem[];
  readonly texts: ReadonlyMap<string, string>;
} & (
  | { readonly ok: true; readonly config: Config }
  /** `errors` is never empty; print them with `formatErrors(errors, texts)`. */
  | { readonly ok: false; readonly errors: readonly YamlProblem[] }
);

/** Name of the destination that prints, where no other is configured. */
export const builtInDestination = "log";

/**
 * Loads and checks a configuration whole: files and includes, schema, names, rules. Secrets that cannot be read now are
 * warnings: they fail where they are needed. Never throws for what the files say.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const absolute = (path: string): string => resolve(options.cwd, path);
  const files = options.files ?? diskFiles;
  const set = readConfigFiles(options.file, {
    files,
    env: options.env,
    readFile: files.readFile,
    absolute,
    mainSchema: configSchema(options),
    includedSchema: includedSchema(options),
  });
  const { main, texts } = set;
  if (main === null || set.errors.length > 0) return { ok: false, errors: set.errors, warnings: set.warnings, texts };
  return new Assembly(options, { ...set, main }).load();
}

/** The configuration, or WinnowError `config_invalid` with the findings as its text. */
export function requireConfig(loaded: LoadedConfig): Config {
  if (loaded.ok) return loaded.config;
  throw new WinnowError("config_invalid", formatErrors(loaded.errors, loaded.texts), {
    fields: { errors: loaded.errors.length },
  });
}

interface Origin {
  readonly text: YamlText;
  readonly path: readonly PathPart[];
}

/** Puts the files together and holds names against each other. */
class Assembly {
  readonly #options: LoadOptions;
  readonly #set: FileSet & { readonly main: CheckedFile<ConfigYaml> };
  readonly #errors: YamlProblem[] = [];
  readonly #warnings: YamlProblem[];

  constructor(options: LoadOptions, set: FileSet & { readonly main: CheckedFile<ConfigYaml> }) {
    this.#options = options;
    this.#set = set;
    this.#warnings = [...set.warnings];
  }

  load(): LoadedConfig {
    const { main, texts } = this.#set;
    const integrations = this.#integrations();
    const destinations = this.#destinations();
    const ruleSet = this.#rules(integrations, destinations);
    const listener = this.#alertmanager(integrations);
    this.#judgeSecrets();
    const warnings = this.#warnings;
    if (this.#errors.length > 0) return { ok: false, errors: this.#errors, warnings, texts };
    const { listen, data, token, log, windows, store, ack_after, spool_keep } = main.value;
    const { public_url, log_level, partitions, retention, limits } = main.value;
    const { file, cwd } = this.#options;
    const config: Config = {
      file: file === null ? null : resolve(cwd, file),
      listen,
      data: data ?? resolve(cwd, "data"),
      token: token ?? null,
      log: log ?? null,
      windows: windows ?? null,
      store: store ?? null,
      ack_after,
      spool_keep,
      public_url: public_url ?? null,
      log_level,
      partitions,
      integrations,
      alertmanager_listen: listener,
      rule_set: ruleSet,
      destinations,
      retention,
      limits,
    };
    return { ok: true, config, warnings, texts };
  }

  get #files(): readonly CheckedFile<SharedYaml>[] {
    return [this.#set.main, ...this.#set.included];
  }

  #integrations(): readonly IntegrationConfig[] {
    const { sourceTypes } = this.#options;
    const named = this.#named("sources");
    if (named.length === 0) return sourceTypes.map((type) => integrationOf(type, { type, identity_exclude: [] }));
    for (const { value, origin } of named) this.#judgeIdentity(value.identity ?? [], origin);
    return named.map(({ name, value }) => integrationOf(name, value));
  }

  #judgeIdentity(identity: readonly string[], origin: Origin): void {
    for (const [index, part] of identity.entries()) {
      if (this.#options.rules.isIdentityPart(part)) continue;
      const message = `${JSON.stringify(part)} cannot be part of an identity`;
      const hint = "host, service, environment, component, class, dedup_key, rule.id, labels.X or resource.X";
      this.#fail(origin, ["identity", index], { code: "bad_value", message, hint });
    }
  }

  #destinations(): readonly DestinationConfig[] {
    const named = this.#named("destinations");
    if (named.length > 0) return named.map(({ name, value }) => destinationOf(name, value));
    return [this.#printer()];
  }

  /** Prints what a ticket would say, so that a first start shows something. */
  #printer(): DestinationConfig {
    const schema = this.#options.sinkSchemas[builtInDestination];
    const settings = schema === undefined ? null : checkYaml("{}", "(built-in)", schema, { env: {} });
    return {
      name: builtInDestination,
      type: builtInDestination,
      mode: "live",
      max_creates_per_minute: 100_000,
      allow_networks: [],
      ca: null,
      settings: settings?.ok === true ? (settings.value as Readonly<Record<string, unknown>>) : {},
    };
  }

  /** The entries of a mapping that may be spread over files; a name in two of them is an error. */
  #named<Key extends "sources" | "destinations">(key: Key) {
    type Entry = NonNullable<SharedYaml[Key]>[string];
    const entries = new Map<string, { readonly name: string; readonly value: Entry; readonly origin: Origin }>();
    for (const { value, text } of this.#files) {
      for (const [name, entry] of Object.entries(value[key] ?? {}) as [string, Entry][]) {
        const origin = { text, path: [key, name] };
        const first = entries.get(name);
        if (first === undefined) entries.set(name, { name, value: entry, origin });
        else {
          const { line } = first.origin.text.locate(first.origin.path, "key");
          const message = `${JSON.stringify(name)} is defined already, in ${first.origin.text.file}:${line}`;
          this.#fail(origin, [], { code: "conflict", message }, "key");
        }
      }
    }
    return [...entries.values()];
  }

  #rules(integrations: readonly IntegrationConfig[], destinations: readonly DestinationConfig[]): RuleSet {
    const rules = this.#listed("rules");
    const routes = this.#listed("routes");
    const { ruleSet, errors, warnings } = this.#options.rules.read({
      rules: rules?.map(({ value }) => value) ?? null,
      routes: routes?.map(({ value }) => value) ?? null,
      priority: this.#set.main.value.priority,
      destinations: destinations.map(({ name }) => name),
      sourceTypes: this.#options.sourceTypes,
      integrations: integrations.map(({ name }) => name),
    });
    for (const [findings, into] of [
      [errors, this.#errors],
      [warnings, this.#warnings],
    ] as const) {
      for (const { path, at, ...says } of findings) {
        const [list, index, ...rest] = path;
        const entries = list === "rules" ? rules : routes;
        const origin = entries?.[Number(index)]?.origin ?? { text: this.#set.main.text, path: [] };
        into.push(placed(origin, rest, says, at));
      }
    }
    return ruleSet;
  }

  /** The entries of a list that may be spread over files, in order; null = written nowhere. */
  #listed(key: "rules" | "routes"): readonly { readonly value: unknown; readonly origin: Origin }[] | null {
    const files = this.#files.filter(({ value }) => value[key] !== undefined);
    if (files.length === 0) return null;
    return files.flatMap(({ value, text }) =>
      (value[key] ?? []).map((entry, index) => ({ value: entry, origin: { text, path: [key, index] } })),
    );
  }

  #alertmanager(integrations: readonly IntegrationConfig[]): Config["alertmanager_listen"] {
    const wanted = this.#set.main.value.alertmanager_listen;
    if (wanted === undefined) return null;
    const origin = { text: this.#set.main.text, path: ["alertmanager_listen", "integration"] };
    const found = integrations.find(({ name }) => name === wanted.integration);
    const fitting = integrations.filter(({ type }) => type === "alertmanager").map(({ name }) => name);
    if (found === undefined) {
      const message = `no source is called ${JSON.stringify(wanted.integration)}`;
      this.#fail(origin, [], { code: "unknown_name", message, hint: suggest(wanted.integration, fitting, "sources") });
    } else if (found.type !== "alertmanager") {
      const message = `the source ${JSON.stringify(found.name)} is of type ${found.type}, not alertmanager`;
      this.#fail(origin, [], { code: "conflict", message });
    }
    return wanted;
  }

  #judgeSecrets(): void {
    for (const { secrets, text } of this.#files) {
      for (const { secret, place, path } of secrets) {
        const problem = secret.problem();
        if (problem !== null)
          this.#warnings.push(text.problem(place, path, { code: "variable_unset", message: problem }));
      }
    }
  }

  #fail(origin: Origin, rest: readonly PathPart[], says: ProblemSays, at?: "key" | "value"): void {
    this.#errors.push(placed(origin, rest, says, at));
  }
}

function placed(origin: Origin, rest: readonly PathPart[], says: ProblemSays, at?: "key" | "value"): YamlProblem {
  const path = [...origin.path, ...rest];
  return origin.text.problem(origin.text.locate(path, at), path, says);
}

function integrationOf(name: string, yaml: SourceYaml): IntegrationConfig {
  return {
    name,
    type: yaml.type,
    credentials: yaml.auth === undefined ? null : credentialsOf(yaml.auth),
    environment: yaml.environment ?? null,
    scope: yaml.scope ?? null,
    identity: yaml.identity ?? null,
    identity_exclude: yaml.identity_exclude,
    time_zone: yaml.time_zone ?? null,
  };
}

function credentialsOf(auth: AuthYaml): readonly InboundCredential[] {
  const each = (value: Secret | readonly Secret[] | undefined, rest: Omit<InboundCredential, "secret">) =>
    (value === undefined ? [] : [value].flat()).map((secret) => ({ secret, ...rest }));
  const { bearer, header, basic, query, path } = auth;
  const username = basic?.username === undefined ? {} : { username: basic.username };
  return [
    ...each(bearer, { kinds: ["bearer"] }),
    ...each(header?.value, { kinds: ["header"], ...(header === undefined ? {} : { header: header.name }) }),
    ...each(basic?.password, { kinds: ["basic"], ...username }),
    ...each(query, { kinds: ["query"] }),
    ...each(path, { kinds: ["path"] }),
  ];
}

function destinationOf(name: string, yaml: DestinationYaml): DestinationConfig {
  const { type, mode, max_creates_per_minute, allow_networks, ca } = yaml;
  const settings = Object.fromEntries(Object.entries(yaml).filter(([key]) => !destinationKeys.includes(key)));
  return { name, type, mode, max_creates_per_minute, allow_networks, ca: ca ?? null, settings };
}
