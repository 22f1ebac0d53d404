/** What people paste into their Nagios, taken out of the page that tells them to: there is no second copy of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const page = join(import.meta.dirname, "../../packages/sources/src/nagios/README.md");

/** The page's object definitions: the commands, and a contact called `winnow` that uses them. */
export function documentedObjects(): string {
  return blockWith("define command {");
}

/** The page's lines for resource.cfg, with the two placeholders filled in. */
export function documentedResources(at: { readonly url: string; readonly token: string }): string {
  const lines = blockWith("={{URL}}");
  return lines.replaceAll("{{URL}}", at.url).replaceAll("{{TOKEN}}", at.token);
}

function blockWith(mark: string): string {
  const blocks = [...readFileSync(page, "utf8").matchAll(/^```text\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
  const found = blocks.filter((text) => text.includes(mark));
  if (found.length !== 1) throw new Error(`${page} has ${found.length} blocks with ${mark}, not one`);
  return found[0] ?? "";
}
