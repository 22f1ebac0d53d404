import { createRequire } from "node:module";

/** The version of this Winnow, from the manifest of the repository's root. */
export function version(): string {
  const manifest = createRequire(import.meta.url)("../../../../package.json") as { readonly version: string };
  return manifest.version;
}
