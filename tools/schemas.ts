/**
 * Writes schemas/*.json from the code: `node tools/schemas.ts [--check] [--dir DIR]`.
 *
 * With --check nothing is written; files that differ from the code, are missing or belong to no schema are named, and
 * the exit code is 1.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  Accounting,
  Alert,
  AlertEvent,
  DeadLetter,
  Delivery,
  Explanation,
  Incident,
  IncidentEvent,
  Reason,
  TimelineRow,
  Transition,
} from "@winnow/contracts";
import { type ConfigParts, configSchema, includedSchema, toJsonSchema } from "@winnow/platform";
import { ruleLanguage } from "@winnow/rules";
import { sinkTypes } from "@winnow/sinks";
import { sources } from "@winnow/sources";

type TSchema = Parameters<typeof toJsonSchema>[0];

const parts: ConfigParts = {
  sinkSchemas: Object.fromEntries(sinkTypes.map(({ type, configSchema: schema }) => [type, schema])),
  sourceTypes: sources.map(({ type }) => type),
  rules: ruleLanguage,
};

/** File name without `.schema.json` → title and schema. */
const schemas: Readonly<Record<string, readonly [title: string, schema: TSchema]>> = {
  accounting: ["Accounting of accepted events", Accounting],
  alert: ["Alert, as the API shows it", Alert],
  "alert-event": ["Normalised alert event, winnow.alert/1", AlertEvent],
  "dead-letter": ["Dead letter, as the API shows it", DeadLetter],
  delivery: ["Delivery, as the API shows it", Delivery],
  explanation: ["Explanation of a membership", Explanation],
  incident: ["Incident, as the API shows it", Incident],
  "incident-event": ["Output of stage B", IncidentEvent],
  included: ["Included part of a Winnow configuration", includedSchema(parts)],
  reason: ["Why something was decided", Reason],
  timeline: ["Row of an incident's timeline", TimelineRow],
  transition: ["Output of stage A", Transition],
  winnow: ["Winnow configuration", configSchema(parts)],
};

function main(): void {
  const { values } = parseArgs({
    options: { check: { type: "boolean" }, dir: { type: "string", default: "schemas" } },
  });
  const files = new Map(Object.entries(schemas).map(([name, entry]) => [`${name}.schema.json`, textOf(...entry)]));
  if (values.check === true) check(values.dir, files);
  else write(values.dir, files);
}

function textOf(title: string, schema: TSchema): string {
  const published = { $schema: "https://json-schema.org/draft/2020-12/schema", title, ...toJsonSchema(schema) };
  return `${JSON.stringify({ ...published, title }, null, 2)}\n`;
}

function write(dir: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(dir, name), text);
  process.stdout.write(`${files.size} schemas written to ${dir}\n`);
}

function check(dir: string, files: ReadonlyMap<string, string>): void {
  const problems = [...files].flatMap(([name, text]) => {
    const found = readOrNull(join(dir, name));
    if (found === text) return [];
    return [`${name} ${found === null ? "is missing" : "differs from the code"}`];
  });
  const strays = readdirSync(dir).filter((name) => name.endsWith(".schema.json") && !files.has(name));
  problems.push(...strays.map((name) => `${name} belongs to no schema`));
  if (problems.length === 0) {
    process.stdout.write(`${files.size} schemas are equal to the code\n`);
    return;
  }
  process.stdout.write(`${problems.join("\n")}\nwrite them with: npm run schemas\n`);
  process.exitCode = 1;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

main();
