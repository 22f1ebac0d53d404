import { hash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { AlertDraft, AlertEvent } from "@winnow/contracts";
import { finishEvent } from "@winnow/core";
import {
  authKinds,
  type DescribedSource,
  mappingWarnings,
  type Normalised,
  rejectionCodes,
  type Source,
  type SourceBody,
  type SourceRequest,
} from "@winnow/sources";
import fc from "fast-check";
import type { Test } from "tap";
import { IsArray, IsObject, IsRecord, IsUnion, type TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import {
  normalisedFixture,
  readSourceFixtures,
  requestOf,
  type SourceFixture,
  secretHeaders,
} from "./source-fixtures.ts";
import { junkBodies, spoiltBody } from "./source-junk.ts";

/** Fixtures that every source has: one alert through its life, and the same check at another place. */
const requiredFixtures = ["firing", "update", "resolved", "second-host"] as const;
/** Spoilt bodies tried for each fixture. */
const spoiltRuns = 60;

const eventValidator = Compile(AlertEvent);

/**
 * What every source has to keep. Sources come from the registry and are held equal with the folders on disk, so that
 * none opts out silently. `folder` is the sources' own source folder; a copy of the repository may name another one.
 */
export async function sourceContract(
  t: Test,
  options: { readonly sources: readonly DescribedSource[]; readonly folder?: URL },
): Promise<void> {
  const root = options.folder ?? new URL("./", import.meta.resolve("@winnow/sources"));
  await t.test("every source folder is in the registry, and the other way round", async (t) => {
    const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    t.strictSame(
      options.sources.map((source) => source.type).toSorted(),
      folders.map((entry) => entry.name).toSorted(),
    );
  });
  for (const source of options.sources) {
    const folder = new URL(`${source.type}/`, root);
    if (!existsSync(folder)) continue;
    await t.test(source.type, async (t) => {
      await shape(t, source, folder);
      const fixtures = readSourceFixtures(folder);
      const schema = source.bodySchema;
      await goldenFiles(t, source, fixtures);
      await identities(t, source, fixtures);
      await indifference(t, source, fixtures, schema);
      await secrets(t, source, fixtures);
      await junk(t, source, fixtures);
      await readme(t, source, folder, schema);
    });
  }
}

async function shape(t: Test, source: Source, folder: URL): Promise<void> {
  await t.test("the folder holds what a source consists of, and the source says of itself what it is", async (t) => {
    for (const name of ["schema.ts", "normalise.ts", "index.ts", "README.md"])
      t.ok(existsSync(new URL(name, folder)), name);
    const names = readSourceFixtures(folder).map((fixture) => fixture.name);
    for (const name of requiredFixtures) t.ok(names.includes(name), `fixtures/${name}.json`);
    t.match(source.type, /^[a-z][a-z0-9-]*$/);
    t.not(source.title.trim(), "");
    t.ok(source.accepts.length > 0 && new Set(source.accepts).size === source.accepts.length, "accepts");
    t.ok(source.auth.length > 0 && source.auth.every((kind) => authKinds.includes(kind)), "auth");
    t.ok(Number.isInteger(source.version) && source.version > 0, "version");
  });
}

async function goldenFiles(t: Test, source: Source, fixtures: readonly SourceFixture[]): Promise<void> {
  for (const fixture of fixtures) {
    await t.test(`${fixture.name}: ${fixture.says}`, async (t) => {
      t.ok(
        source.accepts.includes(requestOf(fixture).body.kind) || fixture.body === undefined || "text" in fixture.body,
      );
      const result = normalisedFixture(source, fixture);
      t.strictSame(result, fixture.expected, "run tools/source-fixtures.ts and read the difference");
      for (const draft of result.drafts) t.strictSame([...Value.Errors(AlertDraft, draft)], [], "fits AlertDraft");
      checkResult(t, source, result);
    });
  }
}

/** What holds for every result, whatever the body was. */
function checkResult(t: Test, source: Source, result: Normalised): void {
  if (result.drafts.length + result.rejected.length === 0) t.fail("neither a draft nor a rejected item");
  for (const { code, message } of result.rejected)
    if (!Object.hasOwn(rejectionCodes, code) || message === "") t.fail(`rejected with the code ${code}`);
  for (const { code, message } of result.warnings)
    if (!Object.hasOwn(mappingWarnings, code) || message === "") t.fail(`warned with the code ${code}`);
  for (const [index, draft] of result.drafts.entries()) {
    if (draft.kind === "alert" && draft.identity.length === 0) t.fail("an alert without an identity");
    if ((draft.resolve_reason !== undefined) !== (draft.action === "resolve")) t.fail("resolve_reason without resolve");
    if (draft.ended_ms !== undefined && draft.status !== "resolved") t.fail("an end without being resolved");
    const event: unknown = JSON.parse(JSON.stringify(finished(source, draft, index)));
    if (!eventValidator.Check(event)) t.strictSame([...eventValidator.Errors(event)], [], "fits AlertEvent");
  }
}

function finished(source: Source, draft: AlertDraft, itemIndex: number): AlertEvent {
  const { event } = finishEvent(draft, {
    tenant: "default",
    scope: "default",
    source: source.type,
    integration: "contract",
    parserVersion: source.version,
    receivedMs: 1_795_168_805_000,
    deliveryId: "contract",
    itemIndex,
    hash: (text) => hash("sha256", text, "hex"),
  });
  return event;
}

async function identities(t: Test, source: Source, fixtures: readonly SourceFixture[]): Promise<void> {
  const firstOf = (name: (typeof requiredFixtures)[number]): AlertDraft => {
    const fixture = fixtures.find((candidate) => candidate.name === name);
    const draft = fixture === undefined ? undefined : normalisedFixture(source, fixture).drafts[0];
    if (draft === undefined) throw new Error(`fixtures/${name}.json gives no draft`);
    return draft;
  };
  const fingerprint = (draft: AlertDraft): string => finished(source, draft, 0).fingerprint;

  await t.test("firing, its update and its end are one alert and one episode", async (t) => {
    const [firing, update, resolved] = [firstOf("firing"), firstOf("update"), firstOf("resolved")];
    t.strictSame([firing.kind, update.kind, resolved.kind], ["alert", "alert", "alert"]);
    t.strictSame([firing.status, update.status, resolved.status], ["firing", "firing", "resolved"]);
    t.strictSame([firing.action, resolved.action], ["fire", "resolve"]);
    t.equal(fingerprint(update), fingerprint(firing), "update");
    t.equal(fingerprint(resolved), fingerprint(firing), "resolved");
    t.equal(update.episode_id, firing.episode_id, "episode of the update");
    t.equal(resolved.episode_id, firing.episode_id, "episode of the end");
    t.equal(resolved.title, firing.title, "the title holds no state");
  });

  await t.test("the same check on two hosts makes two alerts", async (t) => {
    const [one, other] = [firstOf("firing"), firstOf("second-host")];
    t.not(fingerprint(other), fingerprint(one));
    t.not(other.dedup_key, one.dedup_key);
  });

  await t.test("no title, severity, value, time or group of the sender is part of an identity", async (t) => {
    const firing = firstOf("firing");
    const volatile = [firing.group_key, firing.episode_id, firing.metric?.value_text, firing.description];
    for (const { k, v } of firing.identity) {
      t.notOk(v !== "" && volatile.includes(v), k);
      t.notMatch(k, /^(?:title|summary|value|time|group_key)$/);
    }
  });
}

async function indifference(
  t: Test,
  source: Source,
  fixtures: readonly SourceFixture[],
  schema: TSchema,
): Promise<void> {
  await t.test("the same payload twice gives the same drafts, and the payload stays as it was", async (t) => {
    for (const fixture of fixtures) {
      const request = frozen(requestOf(fixture));
      const settings = frozen(fixture.settings ?? {});
      const first = source.normalise(request, settings);
      t.strictSame(source.normalise(request, settings), first, fixture.name);
    }
  });

  await t.test("neither the order of fields nor fields that nobody knows make a difference", async (t) => {
    for (const fixture of fixtures) {
      const request = requestOf(fixture);
      const settings = fixture.settings ?? {};
      const { rejected, ...plain } = source.normalise(request, settings);
      const { rejected: rejectedTurned, ...turned } = source.normalise(
        { ...request, body: turnedAround(request.body) },
        settings,
      );
      t.strictSame(turned, plain, `${fixture.name}, turned around`);
      t.strictSame(codes(rejectedTurned), codes(rejected), `${fixture.name}, turned around`);
      const { rejected: rejectedMore, ...more } = source.normalise(
        { ...request, body: withUnknownFields(request.body, schema) },
        settings,
      );
      t.strictSame(more, plain, `${fixture.name}, with unknown fields`);
      t.strictSame(codes(rejectedMore), codes(rejected), `${fixture.name}, with unknown fields`);
    }
  });

  await t.test("the schema describes what the tool sends", async (t) => {
    const fitting = fixtures.filter(({ name }) => requiredFixtures.includes(name as "firing"));
    for (const fixture of fitting) t.strictSame([...Value.Errors(schema, plainBody(requestOf(fixture).body))], []);
  });
}

function codes(rejected: Normalised["rejected"]): string[] {
  return rejected.map(({ code, path }) => `${code} ${path}`);
}

function frozen<Thing>(thing: Thing): Thing {
  if (typeof thing === "object" && thing !== null && !Object.isFrozen(thing)) {
    Object.freeze(thing);
    for (const value of thing instanceof Map ? thing.values() : Object.values(thing)) frozen(value as unknown);
  }
  return thing;
}

function plainBody(body: SourceBody): unknown {
  if (body.kind === "json") return body.value;
  return body.kind === "text"
    ? body.text
    : Object.fromEntries([...body.fields].map(([name, [first]]) => [name, first]));
}

function turnedAround(body: SourceBody): SourceBody {
  if (body.kind === "form") return { kind: "form", fields: new Map([...body.fields].toReversed()) };
  return body.kind === "json" ? { kind: "json", value: turnedValue(body.value) } : body;
}

function turnedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turnedValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, inner]) => [name, turnedValue(inner)]),
  );
}

function withUnknownFields(body: SourceBody, schema: TSchema): SourceBody {
  if (body.kind === "form")
    return { kind: "form", fields: new Map([...body.fields, ["something_new_of_the_tool", ["7"]]]) };
  return body.kind === "json" ? { kind: "json", value: extended(body.value, schema) } : body;
}

/** Adds a field wherever the schema speaks of an object with named fields: label maps stay as they are. */
function extended(value: unknown, schema: TSchema): unknown {
  if (IsUnion(schema)) {
    const fitting = schema.anyOf.find((option) => (Array.isArray(value) ? IsArray(option) : IsObject(option)));
    return fitting === undefined ? value : extended(value, fitting);
  }
  if (IsArray(schema) && Array.isArray(value)) return value.map((item) => extended(item, schema.items));
  if (IsRecord(schema) || !IsObject(schema) || typeof value !== "object" || value === null || Array.isArray(value))
    return value;
  const fields = Object.entries(value as Record<string, unknown>).map(([name, inner]) => {
    const known = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    return [name, known === undefined ? inner : extended(inner, known)];
  });
  return { ...(Object.fromEntries(fields) as object), somethingNewOfTheTool: { nested: [1, "two", null] } };
}

async function secrets(t: Test, source: Source, fixtures: readonly SourceFixture[]): Promise<void> {
  await t.test("nothing of the request's headers comes back", async (t) => {
    const requests: SourceRequest[] = fixtures.map(requestOf);
    for (const body of junkBodies) requests.push({ body, headers: secretHeaders, receivedMs: 1_795_168_805_000 });
    for (const request of requests)
      if (/5ecret/.test(JSON.stringify(source.normalise(request, {})))) t.fail("a credential came back");
    t.ok(requests.length > 20, `${requests.length} requests`);
  });
}

async function junk(t: Test, source: Source, fixtures: readonly SourceFixture[]): Promise<void> {
  await t.test("a body that is not the tool's is rejected with a code, never thrown about", async (t) => {
    for (const body of junkBodies)
      checkResult(t, source, source.normalise({ body, headers: {}, receivedMs: 1_795_168_805_000 }, {}));
    t.ok(junkBodies.length > 20);
    t.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });

  await t.test("a payload with junk in any of its fields gives valid drafts or rejected items", async (t) => {
    for (const fixture of fixtures) {
      const request = requestOf(fixture);
      fc.assert(
        fc.property(spoiltBody(request.body), (body) => {
          checkResult(t, source, source.normalise({ ...request, body }, fixture.settings ?? {}));
        }),
        { numRuns: spoiltRuns },
      );
    }
    t.ok(fixtures.length >= requiredFixtures.length);
  });
}

async function readme(t: Test, source: Source, folder: URL, schema: TSchema): Promise<void> {
  await t.test("the README has what to paste, names every field that is read, and says what is not", async (t) => {
    const text = readFileSync(new URL("README.md", folder), "utf8");
    const snippets = [...text.matchAll(/^```[\s\S]*?^```/gm)].map(([block]) => block);
    t.ok(
      snippets.some((block) => block.includes("{{URL}}")),
      "a snippet with {{URL}}",
    );
    t.ok(
      snippets.some((block) => block.includes("{{TOKEN}}")),
      "a snippet with {{TOKEN}}",
    );
    t.match(text, /^## Mapping/m);
    t.match(text, /^## Not mapped/m);
    t.ok(text.includes(source.title), source.title);
    const missing = fieldNames(schema).filter((name) => !text.includes(`\`${name}\``));
    t.strictSame(missing, [], "fields that the README does not name");
  });
}

function fieldNames(schema: TSchema): string[] {
  if (IsUnion(schema)) return schema.anyOf.flatMap(fieldNames);
  if (IsArray(schema)) return fieldNames(schema.items);
  if (IsRecord(schema) || !IsObject(schema)) return [];
  const names = Object.entries(schema.properties).flatMap(([name, inner]) => [name, ...fieldNames(inner)]);
  return [...new Set(names)];
}
