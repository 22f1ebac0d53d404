import { type DestinationStream, destination as openDestination, pino, stdTimeFunctions } from "pino";
import { cleanFields, cleanText } from "./logging-redact.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Facts of one line. Credentials are taken out, text is cleaned; an `Error` is written with its code and stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the program says about itself: JSON lines. An error line means that a person must act. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same logger with fields of its own on every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level?: LogLevel;
  /** Where lines go; standard error unless given, written synchronously so that a crash keeps its last words. */
  readonly destination?: DestinationStream;
  /** Fields of every line, such as the service's name. */
  readonly fields?: LogFields;
}

/** One JSON object a line: `level`, `time` (RFC 3339, UTC), the fields, `message`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const log = pino(
    {
      level: options.level ?? "info",
      base: null,
      messageKey: "message",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? openDestination({ dest: 2, sync: true }),
  );
  const write = (level: LogLevel, message: string, fields: LogFields): void => {
    if (log.isLevelEnabled(level)) log[level](cleanFields(fields), cleanText(message));
  };
  return loggerOver(write, options.fields ?? {});
}

function loggerOver(write: (level: LogLevel, message: string, fields: LogFields) => void, own: LogFields): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      write(level, message, fields === undefined ? own : { ...own, ...fields });
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerOver(write, { ...own, ...fields }),
  };
}

/** Says nothing: for tests, and for programs whose output is data. */
export function silentLogger(): Logger {
  return loggerOver(() => undefined, {});
}

/** The same logger for parts that put the fields first, as pino does. */
export interface FieldsFirstLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function fieldsFirst(logger: Logger): FieldsFirstLogger {
  const at =
    (level: LogLevel) =>
    (fields: object, message: string): void => {
      logger[level](message, { ...fields });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
