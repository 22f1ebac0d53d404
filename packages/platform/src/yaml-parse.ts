import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import { formatPath, type PathPart, type ProblemCode, type YamlProblem } from "./yaml-problems.ts";

/** Limits on a YAML text. They bound the work before and after parsing. */
export const yamlLimits = {
  /** UTF-16 units of one text. */
  textLengthMax: 262_144,
  /** Nested lists and mappings. */
  depthMax: 64,
  /** Aliases followed, those inside aliased parts counted each time. */
  aliasesMax: 100,
  /** Findings reported; the rest is cut. */
  problemsMax: 50,
} as const;

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A parsed text that knows where everything stands. */
export interface YamlText {
  readonly file: string;
  readonly root: Node | null;
  /** The place of an offset into the text; the start of the text for null. */
  place(offset: number | null): Place;
  /** What an alias stands for, or undefined. */
  resolve(node: Node): Node | undefined;
  /** The place of a value (or of its key), or of the nearest thing above it that exists. */
  locate(path: readonly PathPart[], what?: "key" | "value"): Place;
  problem(place: Place, path: readonly PathPart[], what: ProblemSays): YamlProblem;
}

export interface ProblemSays {
  readonly code: ProblemCode;
  readonly message: string;
  readonly hint?: string | null;
}

export type ParsedYaml =
  | { readonly ok: true; readonly text: YamlText }
  | { readonly ok: false; readonly errors: readonly YamlProblem[] };

/**
 * Parses one YAML 1.2 document (core schema: no merge keys, no custom tags) without ever running away:
 * size and nesting are judged before the parser sees the text.
 */
export function parseYaml(source: string, file: string): ParsedYaml {
  const start = { line: 1, column: 1 };
  const refuse = (place: Place, says: ProblemSays): ParsedYaml => ({
    ok: false,
    errors: [problemAt(file, place, [], says)],
  });
  if (source.length > yamlLimits.textLengthMax) {
    const message = `the text has ${source.length} characters; at most ${yamlLimits.textLengthMax} are read`;
    return refuse(start, { code: "yaml_too_large", message, hint: "split it with include" });
  }
  const tooDeepAt = offsetTooDeep(source);
  const counter = new LineCounter();
  if (tooDeepAt !== null) {
    for (const found of source.slice(0, tooDeepAt).matchAll(/\n/g)) counter.addNewLine(found.index + 1);
    counter.lineStarts.unshift(0);
    return refuse(placeOf(counter, tooDeepAt), {
      code: "yaml_too_deep",
      message: `nested more than ${yamlLimits.depthMax} deep`,
    });
  }
  const document = parseDocument(source, {
    version: "1.2",
    schema: "core",
    merge: false,
    strict: true,
    // Ours says where the first one stands, and does not compare each key with each other.
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: counter,
  });
  const error = syntaxError(document, source);
  if (error !== null) return refuse(placeOf(counter, error.offset), error.says);
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== "1.2") {
    return refuse(start, { code: "yaml_syntax", message: "only YAML 1.2 is read", hint: "take the %YAML line out" });
  }
  return { ok: true, text: yamlText(file, document, counter) };
}

/** The first thing that the parser found: what follows is mostly its consequence. */
function syntaxError(document: Document.Parsed, source: string): { offset: number; says: ProblemSays } | null {
  const [first] = [...document.errors, ...document.warnings].toSorted((left, right) => left.pos[0] - right.pos[0]);
  if (first === undefined) return null;
  const offset = first.pos[0];
  const message = syntaxMessage(first.code) ?? lowerFirst(first.message.split("\n")[0] ?? "");
  const isVariable = source.slice(offset - 1, offset + 1) === "${";
  const hint = isVariable ? "inside [ ] and { } put ${NAME} in quotes" : syntaxHint(first.code);
  return { offset, says: { code: "yaml_syntax", message, hint } };
}

/** Where the nesting passes the limit, or null. Tokens only, so linear whatever the text. */
function offsetTooDeep(source: string): number | null {
  let depth = 0;
  let inLine = 0;
  let offset = 0;
  for (const token of new Lexer().lex(source)) {
    if (token === "[" || token === "{") depth += 1;
    else if (token === "]" || token === "}") depth -= 1;
    else if (token === "-" || token === "?") inLine += 1;
    else if (token === "\n" || token === "\r\n") inLine = 0;
    if (depth > yamlLimits.depthMax || inLine > yamlLimits.depthMax) return offset;
    // The lexer's own marks (document start, scalar) are no part of the text.
    if (token !== "\u0002" && token !== "\u001f" && token !== "\u0018") offset += token.length;
  }
  return null;
}

function yamlText(file: string, document: Document, counter: LineCounter): YamlText {
  const place = (offset: number | null): Place => (offset === null ? { line: 1, column: 1 } : placeOf(counter, offset));
  const resolve = (node: Node): Node | undefined => (isAlias(node) ? node.resolve(document) : node);
  return {
    file,
    root: document.contents,
    place,
    resolve,
    locate: (path, what = "value") => place(offsetOf(document.contents, path, what, resolve)),
    problem: (where, path, says) => problemAt(file, where, path, says),
  };
}

function offsetOf(
  root: Node | null,
  path: readonly PathPart[],
  what: "key" | "value",
  resolve: (node: Node) => Node | undefined,
): number | null {
  let node = root;
  let offset = startOf(root);
  for (const [index, part] of path.entries()) {
    const target = node === null ? undefined : resolve(node);
    const step = childOf(target, part);
    if (step === null) return offset;
    const isLast = index === path.length - 1;
    offset = (isLast && what === "key" ? startOf(step.key) : (startOf(step.value) ?? startOf(step.key))) ?? offset;
    node = step.value;
  }
  return offset;
}

function childOf(node: Node | undefined, part: PathPart): { key: Node | null; value: Node | null } | null {
  if (isSeq(node) && typeof part === "number") {
    const value = node.items[part];
    return value === undefined ? null : { key: value as Node, value: value as Node };
  }
  if (!isMap(node)) return null;
  const pair = node.items.find((item) => keyText(item) === String(part));
  return pair === undefined ? null : { key: pair.key as Node, value: pair.value as Node | null };
}

/** The text of a key, or null when it is no plain scalar. Numbers and booleans are taken as they are written. */
export function keyText(pair: Pair): string | null {
  const { key } = pair;
  if (!isScalar(key)) return null;
  if (typeof key.value === "string") return key.value;
  return key.source ?? null;
}

/** Offset of a node's first character, or null for one that has no place in a text. */
export function startOf(node: Node | null | undefined): number | null {
  return node?.range?.[0] ?? null;
}

function placeOf(counter: LineCounter, offset: number): Place {
  const { line, col } = counter.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

export function problemAt(file: string, place: Place, path: readonly PathPart[], says: ProblemSays): YamlProblem {
  return {
    file,
    line: place.line,
    column: place.column,
    path: formatPath(path),
    message: says.message,
    hint: says.hint ?? null,
    code: says.code,
  };
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** Our words where the parser's speak of its own functions. */
function syntaxMessage(code: string): string | null {
  return code === "MULTIPLE_DOCS" ? "a second document starts here" : null;
}

function syntaxHint(code: string): string | null {
  switch (code) {
    case "TAB_AS_INDENT":
      return "indent with spaces";
    case "MULTIPLE_DOCS":
      return "one document per file: take the --- lines out and use include";
    case "TAG_RESOLVE_FAILED":
      return "tags such as !name are not supported";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return 'a text that holds ": " must be in quotes';
    case "BAD_INDENT":
      return "check that the lines of one list or mapping start in the same column";
    default:
      return null;
  }
}
