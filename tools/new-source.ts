/**
 * Makes the folder of a new source and its registry line: `node tools/new-source.ts TYPE`. The folder works as it is,
 * for a small invented tool; `docs/add-a-source.md` says how to make it yours.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./run-tool.ts";

const TEMPLATE = join(ROOT, "tools/templates/source");
const SOURCES = join(ROOT, "packages/sources/src");

function main(type: string | undefined): void {
  const refusal = refusalOf(type);
  if (type === undefined || refusal !== undefined) {
    process.stderr.write(`${refusal ?? ""}\nusage: node tools/new-source.ts TYPE, for example uptime-kuma\n`);
    process.exitCode = 2;
    return;
  }
  for (const path of [...copyTemplate(type), addToRegistry(type)]) process.stdout.write(`${relative(ROOT, path)}\n`);
}

function refusalOf(type: string | undefined): string | undefined {
  if (type === undefined) return "a type is missing";
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(type)) return `${type} is not lower-case words joined by "-"`;
  return existsSync(join(SOURCES, type)) ? `${type} is there already` : undefined;
}

function copyTemplate(type: string): string[] {
  const words = type.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  const replacements = {
    __TYPE__: type,
    __NAME__: nameOf(type),
    __CLASS__: words.join(""),
    __TITLE__: words.join(" "),
  };
  return readdirSync(TEMPLATE, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".txt"))
    .toSorted()
    .map((path) => {
      let text = readFileSync(join(TEMPLATE, path), "utf8");
      for (const [mark, value] of Object.entries(replacements)) text = text.replaceAll(mark, value);
      const target = join(SOURCES, type, path.slice(0, -".txt".length));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
      return target;
    });
}

/** `uptime-kuma` is exported as `uptimeKuma`. */
function nameOf(type: string): string {
  return type.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Adds the import and the entry, both in alphabetical order. */
function addToRegistry(type: string): string {
  const path = join(SOURCES, "registry.ts");
  const text = readFileSync(path, "utf8");
  const importLine = (of: string): string => `import { ${nameOf(of)} } from "./${of}/index.ts";`;
  const types = [...text.matchAll(/^import \{ \w+ \} from "\.\/([\w-]+)\/index\.ts";$/gm)].map(([, of = ""]) => of);
  const before = types.find((of) => of > type);
  const anchor = importLine(before ?? types.at(-1) ?? "");
  const imports = before === undefined ? `${anchor}\n${importLine(type)}` : `${importLine(type)}\n${anchor}`;
  const names = [...types, type].toSorted().map(nameOf);
  const list = names.map((name) => `  ${name},\n`).join("");
  const written = text.replace(anchor, () => imports).replace(/= \[[^\]]*\];/, () => `= [\n${list}];`);
  writeFileSync(path, written);
  return path;
}

main(process.argv[2]);
