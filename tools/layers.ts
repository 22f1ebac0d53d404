/**
 * Who may import whom, as docs/adr/0002 decides. Imports run downward only. A package that is missing here is refused
 * by the checker, so a new one must take its place in the layering first.
 */
export interface Layer {
  /** Workspace packages whose modules the package may name, without the scope. */
  readonly packages: readonly string[];
  /** Libraries from npm and `node:` modules; "any" leaves them to the package's own manifest. */
  readonly libraries: readonly string[] | "any";
}

const BASE = ["contracts", "core", "ports", "platform"];
const PACKAGES = [...BASE, "rules", "runtime", "adapters", "sources", "sinks"];
const SERVICES = ["receiver", "correlator", "router", "console"];

/** What a service that starts alone hands over to: the command wires it. A program of its own, not a part of the service. */
export const LAUNCHER = "services/winnow/bin/winnow.mjs";

/** The one file of a service that may name the launcher, relative to the service's folder. */
export const STARTER = "main.mjs";

/** Keyed by the folder below the repository's root. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  "packages/contracts": { packages: [], libraries: ["typebox"] },
  "packages/ports": { packages: ["contracts"], libraries: [] },
  "packages/core": { packages: ["contracts"], libraries: ["typebox"] },
  "packages/platform": { packages: ["contracts"], libraries: "any" },
  "packages/rules": { packages: BASE, libraries: "any" },
  "packages/runtime": { packages: [...BASE, "rules"], libraries: "any" },
  "packages/adapters": { packages: [...BASE, "rules"], libraries: "any" },
  "packages/sources": { packages: [...BASE, "rules"], libraries: "any" },
  "packages/sinks": { packages: [...BASE, "rules"], libraries: "any" },
  "packages/devservers": { packages: ["platform"], libraries: "any" },
  "packages/testkit": { packages: PACKAGES, libraries: "any" },
  "services/receiver": { packages: PACKAGES, libraries: "any" },
  "services/correlator": { packages: PACKAGES, libraries: "any" },
  "services/router": { packages: PACKAGES, libraries: "any" },
  "services/console": { packages: PACKAGES, libraries: "any" },
  "services/winnow": { packages: [...PACKAGES, ...SERVICES, "devservers"], libraries: "any" },
};
