import { readFileSync } from "node:fs";
import {
  type Config,
  createHttpClient,
  type DestinationConfig,
  fieldsFirst,
  type Logger,
  WinnowError,
} from "@winnow/platform";
import type { Clock } from "@winnow/ports";
import type { RouterDestination } from "@winnow/router";
import { sinkTypeOf } from "@winnow/sinks";

/** Operations under way at one destination at once. */
const concurrency = 4;

export interface DestinationParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Prints one line for people. */
  readonly print: (line: string) => void;
}

/** Every configured destination, ready to be delivered to. Throws WinnowError `config_invalid`. */
export function destinationsOf(config: Config, parts: DestinationParts): RouterDestination[] {
  return config.destinations.map((destination) => ({
    settings: {
      name: destination.name,
      mode: destination.mode,
      maxCreatesPerMinute: destination.max_creates_per_minute,
      concurrency,
    },
    sink: sinkOf(destination, parts),
  }));
}

function sinkOf(destination: DestinationConfig, parts: DestinationParts) {
  const type = sinkTypeOf(destination.type);
  if (type === undefined) throw new WinnowError("config_invalid", `no destination type is called ${destination.type}`);
  const { clock, print } = parts;
  const log = fieldsFirst(parts.logger.child({ destination: destination.name }));
  const ca = destination.ca === null ? {} : { ca: readCa(destination.ca, destination.name) };
  return type.create(destination.settings, {
    destination: destination.name,
    clock,
    print,
    log,
    httpClient: (options) => createHttpClient({ ...options, allowNetworks: destination.allow_networks, ...ca }),
  });
}

function readCa(file: string, destination: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new WinnowError("config_invalid", `the file ${file}, ca of the destination ${destination}, cannot be read`, {
      cause,
    });
  }
}
