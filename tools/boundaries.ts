/**
 * Checks that imports run downward only: `node tools/boundaries.ts [ROOT]`.
 *
 * It reads every module of packages/ and services/ below ROOT with oxc-parser and looks at each form in which a module
 * can be named: import, re-export, dynamic import, import type, `require`, `import.meta.resolve` and
 * `new URL("…", import.meta.url)`. A package's own test folder may name any package; its relative paths stay inside too.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";
import { LAUNCHER, LAYERS, type Layer, STARTER } from "./layers.ts";

export interface BoundaryReport {
  /** How many modules were read. 0 means that the checker looked in the wrong place. */
  readonly modules: number;
  /** One line each: `path:line: what is wrong`. */
  readonly violations: readonly string[];
}

interface ModuleFile {
  readonly root: string;
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  /** The package's folder, as in LAYERS. */
  readonly home: string;
  readonly isTest: boolean;
}

interface Reference {
  /** undefined where the name is computed at run time. */
  readonly specifier: string | undefined;
  /** `url` for files named beside the module, which may also be data. */
  readonly kind: "import" | "url";
  readonly start: number;
}

type AstNode = { readonly type: string; readonly start: number } & Readonly<Record<string, unknown>>;

const SCOPE = "@winnow/";
const MODULES = ["packages/*/**/*.{ts,mts,cts,js,mjs,cjs}", "services/*/**/*.{ts,mts,cts,js,mjs,cjs}"];

export function checkBoundaries(root: string): BoundaryReport {
  const paths = globSync(MODULES, { cwd: root, exclude: isSkippedFolder })
    .map((path) => path.split(sep).join("/"))
    .toSorted();
  return { modules: paths.length, violations: paths.flatMap((path) => checkModule(moduleFile(root, path))) };
}

function isSkippedFolder(path: string): boolean {
  return /(?:^|[\\/])(?:node_modules|fixtures)$/.test(path);
}

function moduleFile(root: string, path: string): ModuleFile {
  const [group, name, folder] = path.split("/");
  return { root, path, home: `${group}/${name}`, isTest: folder === "test" };
}

function checkModule(file: ModuleFile): string[] {
  const text = readFileSync(join(file.root, file.path), "utf8");
  const at = (start: number, what: string): string =>
    `${file.path}:${text.slice(0, start).split("\n").length}: ${what}`;
  const layer = LAYERS[file.home];
  if (layer === undefined) {
    return [at(0, `${file.home} has no place in the layering: give it one in tools/layers.ts`)];
  }
  const { program, comments, errors } = parseSync(file.path, text);
  if (errors.length > 0) {
    return errors.map((error) => at(error.labels[0]?.start ?? 0, `cannot be parsed: ${error.message}`));
  }
  const violations = comments
    .filter((comment) => /^\/\s*<reference\b/.test(comment.value))
    .map((comment) => at(comment.start, "a reference comment brings in types past the layering: use an import"));
  for (const reference of references(program)) {
    const problem = judge(file, layer, reference);
    if (problem !== undefined) {
      violations.push(at(reference.start, problem));
    }
  }
  return violations;
}

/** Says what is wrong with one reference, or undefined. */
function judge(file: ModuleFile, layer: Layer, reference: Reference): string | undefined {
  const { specifier } = reference;
  if (specifier === undefined) {
    return "a computed module name cannot be checked: write it as a literal";
  }
  if (specifier.startsWith(".")) {
    const home = resolve(file.root, file.home) + sep;
    const target = resolve(file.root, dirname(file.path), specifier);
    if (file.path === `${file.home}/${STARTER}` && target === resolve(file.root, LAUNCHER)) return undefined;
    return target.startsWith(home) ? undefined : `"${specifier}" leaves ${file.home}: name the package`;
  }
  if (reference.kind === "url") {
    return undefined;
  }
  if (specifier.startsWith("/") || (/^[a-z]+:/i.test(specifier) && !specifier.startsWith("node:"))) {
    return `"${specifier}" is neither a package nor a relative path`;
  }
  if (file.isTest) {
    return undefined;
  }
  if (specifier.startsWith(SCOPE)) {
    const name = specifier.slice(SCOPE.length).split("/")[0] ?? "";
    const isAllowed = layer.packages.includes(name) || file.home.endsWith(`/${name}`);
    return isAllowed ? undefined : `${file.home} may not import ${SCOPE}${name}`;
  }
  const { libraries } = layer;
  const isAllowed = libraries === "any" || libraries.some((it) => specifier === it || specifier.startsWith(`${it}/`));
  return isAllowed ? undefined : `${file.home} may not import the library "${specifier}"`;
}

function references(program: unknown): Reference[] {
  const found: Reference[] = [];
  const pending: unknown[] = [program];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) {
      pending.push(...(value as unknown[]));
    } else if (isNode(value)) {
      const reference = referenceOf(value);
      if (reference !== undefined) {
        found.push(reference);
      }
      pending.push(...Object.values(value));
    }
  }
  return found.toSorted((left, right) => left.start - right.start);
}

function isNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && "type" in value;
}

function referenceOf(node: AstNode): Reference | undefined {
  const named = (expression: unknown, kind: Reference["kind"]): Reference => ({
    specifier: literalText(expression),
    kind,
    start: node.start,
  });
  if (/^(?:Import|Export|TSImportType)/.test(node.type) && isNode(node["source"])) {
    return named(node["source"], "import");
  }
  if (node.type === "TSExternalModuleReference") {
    return named(node["expression"], "import");
  }
  const [first, second] = Array.isArray(node["arguments"]) ? (node["arguments"] as unknown[]) : [];
  if (node.type === "CallExpression" && isModuleLookup(node["callee"])) {
    return named(first, "import");
  }
  // A computed file name beside import.meta.url is data, not a module: only literal ones are looked at.
  if (node.type === "NewExpression" && isImportMetaUrl(second) && literalText(first) !== undefined) {
    return named(first, "url");
  }
  return undefined;
}

function literalText(expression: unknown): string | undefined {
  if (!isNode(expression)) {
    return undefined;
  }
  if (expression.type === "Literal" && typeof expression["value"] === "string") {
    return expression["value"];
  }
  const [quasi, ...more] = Array.isArray(expression["quasis"]) ? (expression["quasis"] as unknown[]) : [];
  if (expression.type === "TemplateLiteral" && more.length === 0 && isNode(quasi)) {
    return (quasi["value"] as { cooked: string | undefined }).cooked;
  }
  return undefined;
}

/** `require(…)` and `import.meta.resolve(…)`. */
function isModuleLookup(callee: unknown): boolean {
  if (!isNode(callee)) {
    return false;
  }
  return (callee.type === "Identifier" && callee["name"] === "require") || isImportMetaProperty(callee, ["resolve"]);
}

function isImportMetaUrl(node: unknown): boolean {
  return isImportMetaProperty(node, ["url", "filename", "dirname"]);
}

function isImportMetaProperty(node: unknown, names: readonly string[]): boolean {
  if (!isNode(node) || node.type !== "MemberExpression" || !isNode(node["object"]) || !isNode(node["property"])) {
    return false;
  }
  return node["object"].type === "MetaProperty" && names.includes(String(node["property"]["name"]));
}

function main(root: string): void {
  const { modules, violations } = checkBoundaries(root);
  for (const violation of violations) {
    process.stderr.write(`${violation}\n`);
  }
  process.stdout.write(`boundaries: ${modules} modules seen, ${violations.length} violations\n`);
  if (modules === 0 || violations.length > 0) {
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  main(resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url))));
}
