import { readdirSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Normalised, Source, SourceBody, SourceRequest, SourceSettings } from "@winnow/sources";

/** The body of a fixture file, as the receiver would have decoded it. */
type WrittenBody =
  | { readonly json: unknown }
  | { readonly form: Readonly<Record<string, string | readonly string[]>> }
  | { readonly text: string };

/** One `fixtures/NAME.json` of a source: a payload and what must come of it. */
export interface SourceFixture {
  readonly name: string;
  readonly file: URL;
  /** A sentence about what the payload is. */
  readonly says: string;
  /** RFC 3339. */
  readonly received_at: string;
  readonly settings?: SourceSettings;
  readonly body: WrittenBody;
  /** Missing while a source is being written: `tools/source-fixtures.ts` fills it in. */
  readonly expected?: Normalised;
}

/** Headers that hold credentials: they must not come back in anything that a source gives. */
export const secretHeaders = {
  authorization: "Bearer 5ecret-bearer-5ecret",
  "x-winnow-token": "5ecret-token-5ecret",
  cookie: "session=5ecret-cookie-5ecret",
} as const;

/** Reads `fixtures/*.json` below a source's folder, in the order of their names. */
export function readSourceFixtures(folder: URL): SourceFixture[] {
  const fixtures = new URL("fixtures/", folder);
  return readdirSync(fixtures)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name) => {
      const file = new URL(name, fixtures);
      const written = JSON.parse(readFileSync(file, "utf8")) as Omit<SourceFixture, "name" | "file">;
      return { ...written, name: name.slice(0, -".json".length), file };
    });
}

/** The request that a fixture stands for. Each call gives a fresh one. */
export function requestOf(fixture: SourceFixture): SourceRequest {
  return { body: bodyOf(fixture.body), headers: secretHeaders, receivedMs: Date.parse(fixture.received_at) };
}

function bodyOf(written: WrittenBody): SourceBody {
  if ("json" in written) return { kind: "json", value: structuredClone(written.json) };
  if ("text" in written) return { kind: "text", text: written.text };
  const fields = Object.entries(written.form).map(
    ([name, value]) => [name, typeof value === "string" ? [value] : [...value]] as const,
  );
  return { kind: "form", fields: new Map(fields) };
}

/** What the source makes of a fixture now, as it is written to a file. */
export function normalisedFixture(source: Source, fixture: SourceFixture): Normalised {
  const result = source.normalise(requestOf(fixture), fixture.settings ?? {});
  return JSON.parse(JSON.stringify(result)) as Normalised;
}

/** The fixture's file with `expected` brought up to what the source gives; undefined when it already says that. */
export function renewedFixture(source: Source, fixture: SourceFixture): string | undefined {
  const expected = normalisedFixture(source, fixture);
  if (isDeepStrictEqual(fixture.expected, expected)) return undefined;
  const { says, received_at, settings, body } = fixture;
  const written = { says, received_at, ...(settings === undefined ? {} : { settings }), body, expected };
  return `${JSON.stringify(written, null, 2)}\n`;
}
