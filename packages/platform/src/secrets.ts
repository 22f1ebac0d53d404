import { readFileSync, statSync } from "node:fs";
import { inspect } from "node:util";
import { WinnowError } from "./errors.ts";

/** Where a secret is kept. It is never written into a configuration file itself. */
export type SecretOrigin = { readonly env: string } | { readonly file: string };

/** Environment variables, passed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a secret is read from; tests pass their own. */
export interface SecretReaders {
  readonly env: Environment;
  /** Reads a file as UTF-8 text; throws when it cannot. */
  readonly readFile?: (path: string) => string;
}

/** Largest secret file, bytes. */
const secretBytesMax = 65_536;

/**
 * A secret that cannot be printed by accident: text, JSON and inspection all show its origin only.
 * It is read at the first `reveal` and kept; a reload of the configuration makes a new one.
 */
export class Secret {
  readonly origin: SecretOrigin;
  readonly #read: () => string;
  #value: string | undefined;

  constructor(origin: SecretOrigin, readers: SecretReaders) {
    this.origin = origin;
    this.#read = () => readSecret(origin, readers);
  }

  /**
   * The secret's text; one line break at the end of a file is not part of it.
   * Throws WinnowError `config_invalid` when the variable is unset, the file unreadable, or the text empty.
   */
  reveal(): string {
    this.#value ??= this.#read();
    return this.#value;
  }

  /** Why it cannot be revealed, or null when it can. */
  problem(): string | null {
    try {
      this.reveal();
      return null;
    } catch (error) {
      if (error instanceof WinnowError) return error.message;
      throw error;
    }
  }

  toString(): string {
    return "env" in this.origin ? `[secret env:${this.origin.env}]` : `[secret file:${this.origin.file}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function readSecret(origin: SecretOrigin, readers: SecretReaders): string {
  if ("env" in origin) {
    const value = readers.env[origin.env];
    if (value !== undefined && value !== "") return value;
    throw new WinnowError("config_invalid", `the environment variable ${origin.env} is not set`, {
      fields: { env: origin.env },
    });
  }
  const text = readSecretFile(origin.file, readers.readFile ?? readSmallFile).replace(/\r?\n$/, "");
  if (text !== "") return text;
  throw new WinnowError("config_invalid", `the secret file ${origin.file} is empty`, { fields: { file: origin.file } });
}

function readSecretFile(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (cause) {
    throw new WinnowError("config_invalid", `the secret file ${path} cannot be read`, {
      cause,
      fields: { file: path },
    });
  }
}

function readSmallFile(path: string): string {
  if (statSync(path).size > secretBytesMax) {
    throw new WinnowError("config_invalid", `larger than ${secretBytesMax} bytes`, { fields: { file: path } });
  }
  return readFileSync(path, "utf8");
}
