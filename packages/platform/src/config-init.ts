import { readFileSync } from "node:fs";
import { type ConfigParts, configSchema } from "./config-schema.ts";
import { toJsonSchema } from "./yaml-schema.ts";

/**
 * The files that `winnow init` writes: a commented configuration that works as it is, and the JSON Schema that its
 * first line names, so that editors complete and check it.
 */
export function initFiles(parts: ConfigParts): readonly { readonly name: string; readonly text: string }[] {
  const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...toJsonSchema(configSchema(parts)) };
  return [
    { name: "winnow.yaml", text: readFileSync(new URL("../templates/winnow.yaml", import.meta.url), "utf8") },
    { name: "winnow.schema.json", text: `${JSON.stringify(schema, null, 2)}\n` },
  ];
}
