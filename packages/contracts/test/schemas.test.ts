import { execFile } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkYaml } from "@winnow/platform";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import t from "tap";
import { Type } from "typebox";

/** The tests run in the repository's root. */
const root = process.cwd();
const run = promisify(execFile);

async function check(dir: string): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await run(process.execPath, ["tools/schemas.ts", "--check", "--dir", dir], { cwd: root });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, output: stdout };
  }
}

await t.test("the written schemas are equal to the code", async (t) => {
  t.match(await check("schemas"), { code: 0, output: /equal to the code/ });
});

await t.test("a schema that differs, is missing or is a stray is named", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "winnow-schemas-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  cpSync(join(root, "schemas"), dir, { recursive: true });
  writeFileSync(join(dir, "stray.schema.json"), "{}");
  writeFileSync(
    join(dir, "alert.schema.json"),
    readFileSync(join(dir, "alert.schema.json"), "utf8").replace("firing", "fired"),
  );
  rmSync(join(dir, "incident.schema.json"));
  const { code, output } = await check(dir);
  t.equal(code, 1);
  for (const line of [
    "alert.schema.json differs from the code",
    "incident.schema.json is missing",
    "stray.schema.json belongs to no schema",
  ]) {
    t.match(output, line);
  }
});

function ajv(): Ajv2020 {
  const made = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true });
  formats.default(made);
  return made;
}

function schemaNamed(name: string): object {
  return JSON.parse(readFileSync(join(root, "schemas", `${name}.schema.json`), "utf8")) as object;
}

await t.test("every written schema is a valid JSON Schema", async (t) => {
  const files = globSync("*.schema.json", { cwd: join(root, "schemas") });
  t.ok(files.length >= 13);
  for (const file of files) {
    t.doesNotThrow(() => ajv().compile(schemaNamed(file.replace(".schema.json", ""))), file);
  }
});

const documented = `
version: 1
sources:
  prometheus-prod: { type: alertmanager, auth: { bearer: { env: AM_TOKEN } }, environment: prod }
rules:
  - id: per-service
    match: { source: [alertmanager, nagios], labels.team: { exists: true }, host: { not: { glob: "db*" } } }
    group_by: [service]
    hold: { P1: 0s, default: 60s }
routes:
  - match: { priority: [P1, P2, P3, P4] }
    to: [snow]
destinations:
  snow:
    type: servicenow
    url: http://127.0.0.1:9801
    auth: { basic: { username: winnow, password: { env: SNOW_PASSWORD } } }
retention: { log: { max_age: "\${AGE}", max_bytes: 20GiB } }
`;

await t.test("an editor accepts the documented configuration and marks what is wrong in it", async (t) => {
  const fits = ajv().compile(schemaNamed("winnow"));
  const valid = (from: string, to: string): boolean => {
    t.ok(documented.includes(from));
    // Plain values, as an editor sees them.
    const plain = Type.Unknown({ "x-interpolate": false });
    const read = checkYaml(documented.replace(from, to), "winnow.yaml", plain, { env: {} });
    return read.ok && fits(read.value);
  };
  t.ok(valid("version: 1", "version: 1"), JSON.stringify(fits.errors));
  t.notOk(valid("version: 1", "version: 2"));
  t.notOk(valid("destinations:", "destination:"));
  t.notOk(valid("default: 60s", "default: 60"));
  t.notOk(valid("{ env: SNOW_PASSWORD }", "hunter2"));
  t.notOk(valid("glob:", "globb:"));
  t.notOk(valid("type: alertmanager", "type: alertmanagr"));
});
