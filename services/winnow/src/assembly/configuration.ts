import { resolve } from "node:path";
import { type Config, type LoadedConfig, loadConfig, WinnowError } from "@winnow/platform";
import { ruleLanguage } from "@winnow/rules";
import { sinkTypes } from "@winnow/sinks";
import { sources } from "@winnow/sources";
import type { ProcessOptions } from "./options.ts";

/** Loads the configuration with every kind of source, sink and rule that this program knows. Never throws for what it says. */
export function readConfiguration(options: Pick<ProcessOptions, "file" | "cwd" | "env">): LoadedConfig {
  return loadConfig({
    file: options.file,
    cwd: options.cwd,
    env: options.env,
    rules: ruleLanguage,
    sourceTypes: sources.map((source) => source.type),
    sinkSchemas: Object.fromEntries(sinkTypes.map((sink) => [sink.type, sink.configSchema])),
  });
}

/** HOST:PORT, `:PORT` or `[V6]:PORT` as a flag says it. Throws WinnowError `config_invalid`. */
function parseListen(text: string): Config["listen"] {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || port > 65_535)
    throw new WinnowError("config_invalid", `${JSON.stringify(text)} is not HOST:PORT`);
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? "127.0.0.1" : host, port };
}

/** What flags say goes before what the file says. Throws WinnowError `config_invalid`. */
export function withFlags(
  config: Config,
  options: Pick<ProcessOptions, "cwd" | "data" | "listen" | "log" | "windows" | "store">,
): Config {
  return {
    ...config,
    ...(options.data === undefined ? {} : { data: resolve(options.cwd, options.data) }),
    ...(options.listen === undefined ? {} : { listen: parseListen(options.listen) }),
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.windows === undefined ? {} : { windows: options.windows }),
    ...(options.store === undefined ? {} : { store: options.store }),
  };
}
