import { homedir } from "node:os";
import { join } from "node:path";
import { processEnvironment } from "@winnow/platform/env";

type Environment = ReturnType<typeof processEnvironment>;

/** What this package takes from its environment. */
export interface DevEnvironment {
  /** WINNOW_CACHE, else ~/.cache/winnow. */
  readonly cacheDir: string;
  /** WINNOW_USE_SYSTEM_TOOLS=1: installed Debian packages before the cache. */
  readonly useSystemTools: boolean;
  /** WINNOW_TEST_KAFKA as `host:port,…`, WINNOW_TEST_REDIS and WINNOW_TEST_POSTGRES as URLs: servers that are there. */
  readonly given: { readonly kafka: string | null; readonly redis: string | null; readonly postgres: string | null };
  /** JAVA_HOME. */
  readonly javaHome: string | null;
  /** All variables, for programs that need the person's own settings (proxies, certificates). */
  readonly all: Environment;
}

/** Reads the environment; an empty variable counts as unset. */
export function devEnvironment(env: Environment = processEnvironment()): DevEnvironment {
  const said = (name: string): string | null => {
    const value = env[name];
    return value === undefined || value === "" ? null : value;
  };
  return {
    cacheDir: said("WINNOW_CACHE") ?? join(homedir(), ".cache", "winnow"),
    useSystemTools: said("WINNOW_USE_SYSTEM_TOOLS") === "1",
    given: {
      kafka: said("WINNOW_TEST_KAFKA"),
      redis: said("WINNOW_TEST_REDIS"),
      postgres: said("WINNOW_TEST_POSTGRES"),
    },
    javaHome: said("JAVA_HOME"),
    all: env,
  };
}
