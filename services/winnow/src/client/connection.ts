import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CommandFailed, exitCodes, usage } from "../commands/exit-codes.ts";
import type { Terminal } from "../commands/terminal.ts";

/** Which Winnow to talk to, and as whom. */
export interface Connection {
  readonly url: URL;
  readonly token: string | null;
  /** Why there is no token, or what to do about one that is refused. */
  readonly tokenHint: string;
}

const defaultUrl = "http://127.0.0.1:8080";

interface ConnectionFile {
  readonly url?: string;
  readonly token?: string;
}

/**
 * `--url` before WINNOW_URL before the file's `url` before port 8080 here; WINNOW_TOKEN before the file's `token`. The
 * file's token goes to the file's own URL only: it must not follow a `--url` to another host.
 */
export async function readConnection(terminal: Terminal, given: { readonly url?: string }): Promise<Connection> {
  const { env } = terminal;
  const path = env.configHome === null ? null : join(env.configHome, "winnow", "config.yaml");
  const file = path === null ? {} : await readConnectionFile(path, terminal);
  const wanted = given.url ?? env.url ?? file.url ?? defaultUrl;
  const url = parseUrl(wanted);
  if (env.token !== null) return { url, token: headerSafe(env.token, "WINNOW_TOKEN"), tokenHint: "check WINNOW_TOKEN" };
  const { token } = file;
  if (token === undefined) return { url, token: null, tokenHint: "set WINNOW_TOKEN: `winnow up` prints the token" };
  const home = file.url === undefined ? null : parseUrl(file.url).origin;
  if (home !== null && home !== url.origin) {
    return { url, token: null, tokenHint: `the token of ${path} is for ${home}: set WINNOW_TOKEN for ${url.origin}` };
  }
  return { url, token: headerSafe(token, `the token in ${path}`), tokenHint: `check the token in ${path}` };
}

/** A token goes into a header: a line break from a file or a shell is dropped, anything else odd is refused. */
function headerSafe(token: string, name: string): string {
  const trimmed = token.trim();
  if (/^[\u0021-\u007e]+$/.test(trimmed)) return trimmed;
  throw new CommandFailed(exitCodes.failed, `${name} holds signs that no token has`);
}

function parseUrl(text: string): URL {
  const url = URL.parse(/^[\w.-]+:\d+(?:\/|$)/.test(text) ? `http://${text}` : text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usage(`"${text}" is no URL of a Winnow`, `write it like ${defaultUrl}`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

async function readConnectionFile(path: string, terminal: Terminal): Promise<ConnectionFile> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return {};
    throw new CommandFailed(exitCodes.failed, `${path} cannot be read`);
  }
  const { parse } = await import("yaml");
  const parsed = parseOrNull(() => parse(text) as unknown);
  if (parsed === null) return {};
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new CommandFailed(exitCodes.failed, `${path} is not valid`, "write two lines: url: … and token: …");
  }
  const { url, token, ...others } = parsed as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined || (url !== undefined && typeof url !== "string")) {
    throw new CommandFailed(exitCodes.failed, `${path}: ${unknown ?? "url"} is not understood`, "known: url, token");
  }
  const secret = readToken(token, path, terminal);
  return { ...(url === undefined ? {} : { url }), ...(secret === undefined ? {} : { token: secret }) };

  function parseOrNull(read: () => unknown): unknown {
    try {
      return read();
    } catch (error) {
      throw new CommandFailed(exitCodes.failed, `${path} is no YAML: ${String(error).split("\n")[0]}`);
    }
  }
}

/** `token: {env: NAME}`, `token: {file: PATH}`, or the token itself: the file is one person's own. */
function readToken(token: unknown, path: string, terminal: Terminal): string | undefined {
  if (token === undefined || token === null) return undefined;
  if (typeof token === "string") {
    if ((statSync(path).mode & 0o077) !== 0) {
      terminal.say(`warning: others may read the token in ${path}: chmod 600 ${path}`);
    }
    return token;
  }
  const { env, file } = token as { readonly env?: unknown; readonly file?: unknown };
  if (typeof env === "string") {
    const value = terminal.env.all[env];
    if (value !== undefined && value !== "") return value;
    throw new CommandFailed(exitCodes.failed, `${path}: the environment variable ${env} is not set`);
  }
  if (typeof file === "string") {
    const place = file.startsWith("~/") ? join(terminal.env.home ?? "", file.slice(2)) : join(path, "..", file);
    try {
      return readFileSync(file.startsWith("/") ? file : place, "utf8").trim();
    } catch {
      throw new CommandFailed(exitCodes.failed, `${path}: the token file ${file} cannot be read`);
    }
  }
  throw new CommandFailed(exitCodes.failed, `${path}: token is not understood`, "write token: {file: PATH}");
}
