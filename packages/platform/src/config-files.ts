import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TSchema } from "typebox";
import { type ConfigYaml, configLimits, type SharedYaml } from "./config-schema.ts";
import type { Secret } from "./secrets.ts";
import { checkYaml, type YamlOptions } from "./yaml-check.ts";
import { type Place, type ProblemSays, problemAt, type YamlText } from "./yaml-parse.ts";
import type { PathPart, YamlProblem } from "./yaml-problems.ts";

/** How configuration files are reached; tests pass their own. */
export interface ConfigFiles {
  /** UTF-8 text; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
  /** Paths that fit a pattern with `*`, `?` or `**`, relative to `baseDir`, in any order. */
  readonly listFiles: (pattern: string, baseDir: string) => readonly string[];
}

/** The real ones. */
export const diskFiles: ConfigFiles = {
  readFile: (path) => readFileSync(path, "utf8"),
  listFiles: (pattern, baseDir) => globSync(pattern, { cwd: baseDir }),
};

/** One file that was read and fits its schema. */
export interface CheckedFile<Value> {
  readonly value: Value;
  readonly text: YamlText;
  readonly secrets: readonly { readonly secret: Secret; readonly place: Place; readonly path: readonly PathPart[] }[];
}

/** Everything read for one configuration. */
export interface FileSet {
  readonly main: CheckedFile<ConfigYaml> | null;
  readonly included: readonly CheckedFile<SharedYaml>[];
  readonly errors: readonly YamlProblem[];
  readonly warnings: readonly YamlProblem[];
  /** Texts by the file name that findings carry. */
  readonly texts: ReadonlyMap<string, string>;
}

export interface ReadOptions extends YamlOptions {
  readonly files: ConfigFiles;
  readonly mainSchema: TSchema;
  readonly includedSchema: TSchema;
  /** Turns a path as written into one that can be opened. */
  readonly absolute: (path: string) => string;
}

/** Reads the main file (`null`: an empty one) and what it includes. Reports everything it finds; never throws. */
export function readConfigFiles(file: string | null, options: ReadOptions): FileSet {
  const reading = new Reading(options);
  const main = reading.main(file);
  const included = main === null || file === null ? [] : reading.included(main, file);
  return { main, included, errors: reading.errors, warnings: reading.warnings, texts: reading.texts };
}

class Reading {
  readonly errors: YamlProblem[] = [];
  readonly warnings: YamlProblem[] = [];
  readonly texts = new Map<string, string>();
  readonly #options: ReadOptions;
  #length = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  main(file: string | null): CheckedFile<ConfigYaml> | null {
    const name = file ?? "(defaults)";
    const source = file === null ? "" : this.#read(file, { file, line: 1, column: 1, path: [] });
    return source === null
      ? null
      : (this.#check(source, name, this.#options.mainSchema) as CheckedFile<ConfigYaml> | null);
  }

  included(main: CheckedFile<ConfigYaml>, file: string): CheckedFile<SharedYaml>[] {
    const checked: CheckedFile<SharedYaml>[] = [];
    for (const [index, pattern] of main.value.include.entries()) {
      const path = ["include", index];
      const at = { file, ...main.text.locate(path), path };
      for (const name of this.#names(pattern, at)) {
        const source = this.texts.has(name) ? this.#twice(name, at) : this.#read(name, at);
        const one = source === null ? null : this.#check(source, name, this.#options.includedSchema);
        if (one !== null) checked.push(one as CheckedFile<SharedYaml>);
      }
    }
    return checked;
  }

  /** The files that a pattern names, in the order of their names. */
  #names(pattern: string, at: At): readonly string[] {
    const folder = dirname(at.file);
    if (!/[*?[{]/.test(pattern)) return [join(folder, pattern)];
    const found = this.#options.files.listFiles(pattern, this.#options.absolute(folder)).toSorted();
    if (found.length === 0) {
      this.warnings.push(problemOf(at, { code: "suspicious", message: `no file fits ${JSON.stringify(pattern)}` }));
    }
    return found.map((name) => join(folder, name));
  }

  #twice(name: string, at: At): null {
    this.errors.push(problemOf(at, { code: "conflict", message: `${name} is read already` }));
    return null;
  }

  #read(name: string, at: At): string | null {
    if (this.texts.size >= configLimits.filesMax) {
      this.errors.push(problemOf(at, { code: "yaml_too_large", message: `more than ${configLimits.filesMax} files` }));
      return null;
    }
    const source = this.#open(name, at);
    if (source === null) return null;
    this.texts.set(name, source);
    this.#length += source.length;
    if (this.#length <= configLimits.textLengthMax) return source;
    const message = `the files hold more than ${configLimits.textLengthMax} characters together`;
    this.errors.push(problemOf(at, { code: "yaml_too_large", message }));
    return null;
  }

  #open(name: string, at: At): string | null {
    try {
      return this.#options.files.readFile(this.#options.absolute(name)).replace(/^\uFEFF/, "");
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
      this.errors.push(problemOf(at, { code: "unreadable", message: `the file ${name} ${why}` }));
      return null;
    }
  }

  #check(source: string, name: string, schema: TSchema): CheckedFile<unknown> | null {
    const baseDir = dirname(this.#options.absolute(name));
    const checked = checkYaml(source, name, schema, { ...this.#options, baseDir });
    if (checked.ok) return checked;
    this.errors.push(...checked.errors);
    return null;
  }
}

interface At extends Place {
  readonly file: string;
  readonly path: readonly PathPart[];
}

function problemOf(at: At, says: ProblemSays): YamlProblem {
  return problemAt(at.file, at, at.path, says);
}
