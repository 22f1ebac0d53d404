import { processEnvironment } from "./config-env.ts";
import type { Environment } from "./secrets.ts";

/** What the `winnow` command takes from its environment. */
export interface CliEnvironment {
  /** WINNOW_URL; null where unset or empty, as with all that follow. */
  readonly url: string | null;
  /** WINNOW_TOKEN */
  readonly token: string | null;
  /** XDG_CONFIG_HOME, or `.config` in HOME. */
  readonly configHome: string | null;
  readonly home: string | null;
  /** NO_COLOR (https://no-color.org) or a dumb TERM. */
  readonly noColour: boolean;
  /** FORCE_COLOR: colour although nobody may be looking. NO_COLOR wins. */
  readonly forceColour: boolean;
  /** All variables, for the secrets and `${NAME}` of a configuration. */
  readonly all: Environment;
}

/** Reads the environment once. In a module of its own, so that a short command loads nothing else of this package. */
export function cliEnvironment(env: Environment = processEnvironment()): CliEnvironment {
  const said = (name: string): string | null => {
    const value = env[name];
    return value === undefined || value === "" ? null : value;
  };
  const home = said("HOME") ?? said("USERPROFILE");
  const force = said("FORCE_COLOR");
  return {
    url: said("WINNOW_URL"),
    token: said("WINNOW_TOKEN"),
    configHome: said("XDG_CONFIG_HOME") ?? (home === null ? null : `${home}/.config`),
    home,
    noColour: said("NO_COLOR") !== null || env["TERM"] === "dumb",
    forceColour: force !== null && force !== "0" && force !== "false",
    all: env,
  };
}
