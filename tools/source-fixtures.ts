/**
 * Fills in what the sources make of their fixtures: `node tools/source-fixtures.ts [NAME …]`, all of them without a
 * name. It writes `expected` into each fixture whose outcome changed; read the difference before you commit it.
 */
import { writeFileSync } from "node:fs";
import { sources } from "@winnow/sources";
import { readSourceFixtures, renewedFixture } from "@winnow/testkit";

function main(names: readonly string[]): void {
  const unknown = names.filter((name) => !sources.some((source) => source.type === name));
  if (unknown.length > 0) {
    process.stderr.write(`no such source: ${unknown.join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  const chosen = sources.filter((source) => names.length === 0 || names.includes(source.type));
  const root = new URL("./", import.meta.resolve("@winnow/sources"));
  for (const source of chosen) {
    for (const fixture of readSourceFixtures(new URL(`${source.type}/`, root))) {
      const text = renewedFixture(source, fixture);
      if (text === undefined) continue;
      writeFileSync(fixture.file, text);
      process.stdout.write(`${source.type}/fixtures/${fixture.name}.json\n`);
    }
  }
}

main(process.argv.slice(2));
