import { dirname, resolve } from "node:path";
import type { Static, TSchema } from "typebox";
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { type Environment, Secret } from "./secrets.ts";
import { keyText, type Place, type ProblemSays, parseYaml, startOf, type YamlText, yamlLimits } from "./yaml-parse.ts";
import { type PathPart, suggest, type YamlProblem } from "./yaml-problems.ts";
import { checkScalar, describe, interpolate, type ScalarText, type SchemaView, shown } from "./yaml-scalars.ts";
import {
  fitsShape,
  isCollection,
  isEmpty,
  nodeOf,
  plainValue,
  propertyOf,
  shapeOf,
  variableName,
} from "./yaml-shapes.ts";

export interface YamlOptions {
  /** For `${NAME}` and `{env: NAME}`. */
  readonly env: Environment;
  /** Folder that relative paths start at; the file's own by default. */
  readonly baseDir?: string;
  /** Reads the files of `{file: PATH}`, lazily. */
  readonly readFile?: (path: string) => string;
}

export type YamlCheck<Value> =
  | {
      readonly ok: true;
      readonly value: Value;
      readonly text: YamlText;
      /** Every secret of the text, with the place where it is named. */
      readonly secrets: readonly {
        readonly secret: Secret;
        readonly place: Place;
        readonly path: readonly PathPart[];
      }[];
    }
  | { readonly ok: false; readonly errors: readonly YamlProblem[] };

/**
 * Checks a YAML text against a schema and fills in the schema's defaults.
 * Unknown and repeated keys, wrong types, unset variables and inline secrets are errors that point at their place.
 * Never throws for what the text says.
 */
export function checkYaml<Schema extends TSchema>(
  source: string,
  file: string,
  schema: Schema,
  options: YamlOptions,
): YamlCheck<Static<Schema>> {
  const parsed = parseYaml(source, file);
  if (!parsed.ok) return parsed;
  const run = new Run(parsed.text, { ...options, baseDir: options.baseDir ?? dirname(resolve(file)) });
  const value = run.walk(parsed.text.root ?? nodeOf({}), schema, rootSpot);
  if (run.problems.length > 0) return { ok: false, errors: inOrder(run.problems).slice(0, yamlLimits.problemsMax) };
  return { ok: true, value: value as Static<Schema>, text: parsed.text, secrets: run.secrets };
}

/** By place, from the top. */
function inOrder(problems: readonly YamlProblem[]): readonly YamlProblem[] {
  return problems.toSorted((left, right) => left.line - right.line || left.column - right.column);
}

/** Where the walk stands. */
interface Spot {
  readonly path: readonly PathPart[];
  /** Offset that an error points at when the node itself has no place. */
  readonly offset: number | null;
  readonly interpolates: boolean;
}

const rootSpot: Spot = { path: [], offset: null, interpolates: true };
/** Stands for a value that had errors: the findings are recorded, the value is of no use. */
const failed = Symbol("failed");

class Run {
  readonly problems: YamlProblem[] = [];
  readonly secrets: { secret: Secret; place: Place; path: readonly PathPart[] }[] = [];
  readonly #text: YamlText;
  readonly #options: YamlOptions & { readonly baseDir: string };
  #aliases = 0;

  constructor(text: YamlText, options: YamlOptions & { readonly baseDir: string }) {
    this.#text = text;
    this.#options = options;
  }

  walk(given: Node | null, schema: SchemaView, at: Spot): unknown {
    const spot = {
      ...at,
      offset: startOf(given) ?? at.offset,
      interpolates: at.interpolates && schema["x-interpolate"] !== false,
    };
    if (spot.path.length > yamlLimits.depthMax) {
      return this.#fail(spot, { code: "yaml_too_deep", message: `nested more than ${yamlLimits.depthMax} deep` });
    }
    const node = this.#follow(given, spot);
    if (node === failed) return failed;
    if (schema["x-kind"] === "secret") return this.#secret(node, spot);
    if (schema.anyOf !== undefined) return this.#union(node, schema, spot);
    if (isMap(node)) return this.#map(node, schema, spot);
    if (isSeq(node)) return this.#list(node, schema, spot);
    return this.#scalar(node, schema, spot);
  }

  /** Follows an alias, counted, and refuses tags outside the core schema. */
  #follow(node: Node | null, spot: Spot): Node | null | typeof failed {
    let target: Node | null | undefined = node;
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > yamlLimits.aliasesMax) {
        if (this.#aliases > yamlLimits.aliasesMax + 1) return failed;
        const message = `more than ${yamlLimits.aliasesMax} aliases, those inside aliased parts included`;
        return this.#fail(spot, { code: "yaml_too_many_aliases", message });
      }
      target = this.#text.resolve(node);
      if (target === undefined) {
        return this.#fail(spot, { code: "yaml_syntax", message: `no anchor is called ${JSON.stringify(node.source)}` });
      }
    }
    const tag = target === null ? undefined : (target as { tag?: string }).tag;
    if (tag !== undefined && !coreTags.has(tag)) {
      return this.#fail(spot, { code: "yaml_syntax", message: `the tag ${tag} is not supported` });
    }
    return target;
  }

  #map(node: YAMLMap, schema: SchemaView, spot: Spot): unknown {
    const isOpen = schema.type === undefined && schema.properties === undefined;
    if (!isOpen && schema.type !== "object") return this.#wrongType(spot, schema, "a mapping");
    const values: Record<string, unknown> = {};
    const seen = new Map<string, Place>();
    const empty = new Set<string>();
    let isGood = true;
    for (const pair of node.items) {
      const key = this.#key(pair, seen, spot);
      const value = key === null ? failed : this.#entry({ key, pair, schema, isOpen }, spot);
      if (value === failed) isGood = false;
      else if (value === absent) empty.add(key ?? "");
      else if (key !== null) values[key] = value;
    }
    const isMissing = (name: string): boolean => !seen.has(name) || empty.has(name);
    if (!this.#complete(values, { schema, isMissing, spot })) isGood = false;
    if (!this.#counted(seen.size, schema, spot)) isGood = false;
    return isGood ? values : failed;
  }

  /** The key's text, or null for one that was refused. */
  #key(pair: Pair, seen: Map<string, Place>, spot: Spot): string | null {
    const keyNode = pair.key as Node | null;
    const offset = startOf(keyNode) ?? spot.offset;
    const place = this.#text.place(offset);
    const key = keyText(pair);
    if (key === null || key === "__proto__") {
      this.#fail(
        { ...spot, offset },
        { code: "bad_value", message: "this cannot be a key", hint: "a key is a plain text" },
      );
      return null;
    }
    const first = seen.get(key);
    if (first !== undefined) {
      const message = `the key ${JSON.stringify(key)} stands here twice; first in line ${first.line}`;
      this.#fail(
        { ...spot, path: [...spot.path, key], offset },
        { code: "duplicate_key", message, hint: "merge the two" },
      );
      return null;
    }
    seen.set(key, place);
    return key;
  }

  #entry(entry: { key: string; pair: Pair; schema: SchemaView; isOpen: boolean }, spot: Spot): unknown {
    const { key, pair, schema, isOpen } = entry;
    const node = pair.value as Node | null;
    const here: Spot = { ...spot, path: [...spot.path, key], offset: startOf(pair.key as Node) ?? spot.offset };
    const property = isOpen ? {} : propertyOf(schema, key);
    if (property === null) return this.#unknownKey(key, schema, here);
    // A list or mapping whose entries are all commented out is the same as none.
    if (isEmpty(node) && isCollection(property)) return absent;
    return this.walk(node, property, here);
  }

  #unknownKey(key: string, schema: SchemaView, spot: Spot): typeof failed {
    const [pattern] = Object.keys(schema.patternProperties ?? {});
    if (pattern !== undefined) {
      const hint = schema["x-pattern-says"] ?? `it must match ${pattern}`;
      return this.#fail(spot, {
        code: "bad_value",
        message: `${JSON.stringify(key)} is no name that is allowed here`,
        hint,
      });
    }
    const known = Object.keys(schema.properties ?? {});
    const hint = key === "<<" ? "merge keys are not supported: write the keys out" : suggest(key, known, "known keys");
    return this.#fail(spot, { code: "unknown_key", message: `unknown key ${JSON.stringify(key)}`, hint });
  }

  /** Fills in defaults and reports what is missing. */
  #complete(
    values: Record<string, unknown>,
    map: { schema: SchemaView; isMissing: (name: string) => boolean; spot: Spot },
  ): boolean {
    const { schema, isMissing, spot } = map;
    const before = this.problems.length;
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      if (!isMissing(name)) continue;
      if (property.default !== undefined) {
        const here = { ...spot, path: [...spot.path, name], interpolates: false };
        values[name] = this.walk(nodeOf(property.default), property, here);
      } else if (schema.required?.includes(name) === true) {
        const hint = `add ${name}: ${describe(property)}`;
        this.#fail(spot, { code: "missing_key", message: `the key "${name}" is missing`, hint });
      }
    }
    return this.problems.length === before;
  }

  #counted(count: number, schema: SchemaView, spot: Spot): boolean {
    const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
    if (count >= minProperties && count <= maxProperties) return true;
    const known = Object.keys(schema.properties ?? {}).join(", ");
    const wanted = minProperties === 1 && maxProperties === 1 ? "exactly one" : `${minProperties} to ${maxProperties}`;
    this.#fail(spot, { code: "bad_value", message: `expected ${wanted} of ${known}, found ${count}` });
    return false;
  }

  #list(node: YAMLSeq, schema: SchemaView, spot: Spot): unknown {
    if (schema.type !== undefined && schema.type !== "array") return this.#wrongType(spot, schema, "a list");
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
    if (node.items.length < minItems || node.items.length > maxItems) {
      const bound = node.items.length < minItems ? `at least ${minItems}` : `at most ${maxItems}`;
      return this.#fail(spot, { code: "bad_value", message: `${node.items.length} entries; ${bound} are allowed` });
    }
    const values = node.items.map((item, index) =>
      this.walk(item as Node | null, schema.items ?? {}, { ...spot, path: [...spot.path, index] }),
    );
    return values.includes(failed) ? failed : values;
  }

  #scalar(node: Node | null, schema: SchemaView, spot: Spot): unknown {
    const scalar = this.#filled(node, spot);
    if (scalar === failed) return failed;
    const checked = checkScalar(scalar, schema, this.#options.baseDir);
    return checked.ok ? checked.value : this.#fail(spot, checked);
  }

  /** The scalar with variables filled in. An unquoted one is then read again, so that `${PORT}` can be a number. */
  #filled(node: Node | null, spot: Spot): ScalarText | typeof failed {
    if (!isScalar(node)) return { value: null, text: "" };
    const { value } = node;
    if (typeof value !== "string") return { value, text: node.source ?? String(value) };
    if (!spot.interpolates || !value.includes("${")) return { value, text: value };
    const filled = interpolate(value, this.#options.env);
    if (!filled.ok) return this.#fail(spot, { code: "variable_unset", message: filled.message, hint: filled.hint });
    const read = node.type === Scalar.PLAIN ? plainValue(filled.value) : filled.value;
    return { value: read, text: filled.value, written: value };
  }

  #union(node: Node | null, schema: SchemaView, spot: Spot): unknown {
    const branches = schema.anyOf ?? [];
    const chooser = schema["x-choose-by"];
    if (chooser !== undefined && isMap(node)) return this.#chosen(node, branches, { ...spot, chooser });
    const fitting = branches.filter((branch) => fitsShape(branch, node));
    const [only] = fitting;
    if (only === undefined) return this.#wrongType(spot, schema, shapeOf(node, this.#text));
    if (fitting.length === 1) return this.walk(node, only, spot);
    const before = this.problems.length;
    for (const branch of fitting) {
      const value = this.walk(node, branch, spot);
      if (value !== failed) return value;
      this.problems.length = before;
    }
    return this.#wrongType(spot, schema, shapeOf(node, this.#text));
  }

  /** Takes the branch whose constant stands in the choosing property. */
  #chosen(node: YAMLMap, branches: readonly SchemaView[], spot: Spot & { readonly chooser: string }): unknown {
    const { chooser } = spot;
    const pair = node.items.find((item) => keyText(item) === chooser);
    const names = branches.map((branch) => String(branch.properties?.[chooser]?.const));
    if (pair === undefined) {
      const hint = `add ${chooser}: one of ${names.join(", ")}`;
      return this.#fail(spot, { code: "missing_key", message: `the key "${chooser}" is missing`, hint });
    }
    const here = {
      ...spot,
      path: [...spot.path, chooser],
      offset: startOf(pair.value as Node) ?? startOf(pair.key as Node),
    };
    const scalar = this.#filled(pair.value as Node | null, here);
    if (scalar === failed) return failed;
    const branch = branches[names.indexOf(scalar.text)];
    if (branch !== undefined) return this.walk(node, branch, spot);
    const message = `unknown ${chooser} ${shown(scalar)}`;
    return this.#fail(here, { code: "bad_value", message, hint: suggest(scalar.text, names, "known") });
  }

  #secret(node: Node | null, spot: Spot): unknown {
    if (!isMap(node)) {
      if (isScalar(node) && node.value !== null) {
        const hint = `write { env: ${variableName(spot.path)} } or { file: PATH }`;
        return this.#fail(spot, { code: "inline_secret", message: "a secret may not stand in the file", hint });
      }
      return this.#wrongType(spot, { "x-kind": "secret" }, shapeOf(node, this.#text));
    }
    const value = this.walk(node, secretOrigin, spot);
    if (value === failed) return failed;
    const { env, file } = value as { env?: string; file?: string };
    const origin = env === undefined ? { file: file ?? "" } : { env };
    const { readFile } = this.#options;
    const secret = new Secret(origin, { env: this.#options.env, ...(readFile === undefined ? {} : { readFile }) });
    this.secrets.push({ secret, place: this.#text.place(spot.offset), path: spot.path });
    return secret;
  }

  #wrongType(spot: Spot, schema: SchemaView, found: string): typeof failed {
    return this.#fail(spot, { code: "wrong_type", message: `expected ${describe(schema)}, found ${found}` });
  }

  #fail(spot: Spot, says: ProblemSays): typeof failed {
    this.problems.push(this.#text.problem(this.#text.place(spot.offset), spot.path, says));
    return failed;
  }
}

/** A key that counts as not written. */
const absent = Symbol("absent");
const coreTags = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
);

const secretOrigin: SchemaView = {
  type: "object",
  properties: {
    env: {
      type: "string",
      pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
      "x-pattern-says": "the name of an environment variable",
    },
    file: { type: "string", minLength: 1, "x-kind": "path" },
  },
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
};
