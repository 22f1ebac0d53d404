/**
 * Requests as the real tools sent them. They stand in `captured/`, made by these tests with WINNOW_CAPTURE=1; without
 * it a run compares what it sees with what stands there, so that a stored sample cannot drift from the tool.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@winnow/devservers";
import type { CapturedRequest } from "./capture-server.ts";

export interface Sample {
  /** Ends in `.json` for a JSON body, which is stored indented; in `.txt` for any other, stored byte for byte. */
  readonly file: string;
  /** The package and its version. */
  readonly tool: string;
  readonly request: CapturedRequest;
}

const FOLDER = join(import.meta.dirname, "captured");
const INDEX = join(FOLDER, "requests.json");
/** They say where the test's own server was. */
const HEADERS_LEFT_OUT = ["host", "content-length", "connection"];

/** Stores the samples if asked to; else returns the fields that a stored sample has and the live request lacks. */
export async function keepOrCompare(samples: readonly Sample[]): Promise<readonly string[]> {
  if (process.env["WINNOW_CAPTURE"] === "1") {
    await store(samples);
  }
  const lacking: string[] = [];
  for (const { file, request } of samples) {
    const live = fieldsOf(file, request.body);
    const stored = fieldsOf(file, await readFile(join(FOLDER, file), "utf8"));
    lacking.push(...[...stored].filter((field) => !live.has(field)).map((field) => `${file}: ${field}`));
  }
  return lacking;
}

async function store(samples: readonly Sample[]): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const index = await readIndex();
  for (const { file, tool, request } of samples) {
    const { method, path, headers, body } = request;
    const text = file.endsWith(".json") ? `${JSON.stringify(JSON.parse(body), null, 2)}\n` : body;
    await writeFile(join(FOLDER, file), text);
    const kept = Object.entries(headers).filter(([name]) => !HEADERS_LEFT_OUT.includes(name));
    index[file] = { tool, method, path, headers: Object.fromEntries(kept) };
  }
  const sorted = Object.fromEntries(Object.entries(index).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(INDEX, `${JSON.stringify(sorted, null, 2)}\n`);
}

async function readIndex(): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(INDEX, "utf8")) as Record<string, unknown>;
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      return {};
    }
    throw error;
  }
}

/** Names of form fields, or paths of JSON members without array positions. */
function fieldsOf(file: string, body: string): Set<string> {
  if (!file.endsWith(".json")) {
    return new Set(new URLSearchParams(body).keys());
  }
  const paths = new Set<string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) {
      return;
    }
    for (const [key, child] of Object.entries(value)) {
      const below = Array.isArray(value) ? `${path}[]` : `${path}.${key}`;
      paths.add(below);
      walk(child, below);
    }
  };
  walk(JSON.parse(body), "");
  return paths;
}
