import { silentLogger } from "@winnow/platform";
import { sources } from "@winnow/sources";
import fc from "fast-check";
import t from "tap";
import { type Intaken, intake } from "../src/intake.ts";
import { IntegrationTable } from "../src/integrations.ts";
import { receiverLimits } from "../src/limits.ts";
import { chunkItems, groupByPartition, itemBytes, itemBytesBound } from "../src/records.ts";
import { listSource } from "./support/sources.ts";
import { integration, token } from "./support/world.ts";

const table = new IntegrationTable([
  integration("list", listSource),
  ...sources.map((source) => integration(source.type, source)),
]);

function open(name: string) {
  const opened = table.open(name, {
    headers: { "x-winnow-token": token },
    queryToken: undefined,
    pathToken: undefined,
  });
  if (typeof opened === "string") throw new Error(opened);
  return opened;
}

async function take(bytes: Buffer, name = "list", contentType?: string): Promise<Intaken> {
  const delivery = {
    integration: open(name),
    bytes,
    isTruncated: false,
    contentType,
    contentEncoding: undefined,
    headers: {},
    receivedMs: 1_000,
  };
  return intake(delivery, { limits: receiverLimits, logger: silentLogger() });
}

const takeJson = (value: unknown): Promise<Intaken> => take(Buffer.from(JSON.stringify(value)));

/** Events without what names their delivery. */
function essence(intaken: Intaken): unknown[] {
  return intaken.items.map((item) => ({ ...item, delivery_id: "", event_id: "" }));
}

const alert = fc.record({
  name: fc.string({ minLength: 1, maxLength: 20 }),
  labels: fc.dictionary(fc.string({ maxLength: 8 }), fc.oneof(fc.string({ maxLength: 20 }), fc.integer()), {
    maxKeys: 5,
  }),
});

await t.test("how a batch is split does not change its events", async (t) => {
  const property = fc.asyncProperty(fc.array(alert, { minLength: 1, maxLength: 8 }), fc.nat(8), async (alerts, cut) => {
    const whole = essence(await takeJson({ alerts }));
    const parts = [alerts.slice(0, cut), alerts.slice(cut)].filter((part) => part.length > 0);
    const split: unknown[] = [];
    for (const part of parts) split.push(...essence(await takeJson({ alerts: part })));
    t.same(split, whole);
  });
  await fc.assert(property, { numRuns: 100 });
});

await t.test("the order of keys does not change the identity, nor the fingerprint", async (t) => {
  const property = fc.asyncProperty(alert, async (one) => {
    const reversed = Object.fromEntries(
      Object.entries({ ...one, labels: Object.fromEntries(Object.entries(one.labels).toReversed()) }).toReversed(),
    );
    const [first] = (await takeJson([one])).items;
    const [second] = (await takeJson([reversed])).items;
    t.match(second, { fingerprint: (first as { fingerprint: string }).fingerprint });
  });
  await fc.assert(property, { numRuns: 100 });
});

await t.test("no bytes make any source reject, and each ends as items or as an empty delivery", async (t) => {
  const words = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"',
    '"alerts"',
    '"labels"',
    '"status"',
    "null",
    "1e400",
    "=",
    "&",
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.array(words, { maxLength: 20 }).map((parts) => Buffer.from(parts.join(""))),
    fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
  );
  const type = fc.constantFrom(
    undefined,
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
  );
  const names = ["list", ...sources.map((source) => source.type)];
  const property = fc.asyncProperty(body, type, fc.constantFrom(...names), async (bytes, contentType, name) => {
    const { items, accepted, rejections, warnings } = await take(bytes, name, contentType);
    t.equal(items.length, accepted + rejections.length);
    t.ok(items.length > 0 || warnings.some(({ code }) => code === "empty_delivery"));
  });
  await fc.assert(property, { numRuns: 500 });
});

await t.test("chunks hold all items in order, each within the limit; the cheap bound is never too low", async (t) => {
  const text = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.constant("\u0001\u65e5".repeat(60)),
  );
  const property = fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 30 }), async (texts) => {
    const { items } = await takeJson(texts.map((name) => ({ name: `n${name}` })));
    const chunks = chunkItems(items, 8_192);
    t.same(
      chunks.flatMap((chunk) => chunk.items),
      items,
    );
    t.ok(chunks.every((chunk) => chunk.text === JSON.stringify(chunk.items)));
    t.ok(chunks.every((chunk) => Buffer.byteLength(chunk.text) <= 8_192 - 1_000));
    t.ok(items.every((item) => itemBytesBound(item) >= itemBytes(item)));
  });
  await fc.assert(property, { numRuns: 100 });
});

await t.test("all messages of one alert meet in one partition, in order", async (t) => {
  const { items } = await takeJson(Array.from({ length: 100 }, (_, n) => ({ name: `alert-${n % 10}` })));
  const groups = groupByPartition(items, 4);
  const partitions = new Map<string, number>();
  for (const [partition, group] of groups) {
    for (const item of group) {
      if (!("fingerprint" in item)) continue;
      t.equal(partitions.get(item.fingerprint) ?? partition, partition);
      partitions.set(item.fingerprint, partition);
    }
  }
  t.equal(partitions.size, 10);
});

await t.test("items that point at the whole body keep it once", async (t) => {
  const source = {
    ...listSource,
    normalise: () => ({
      drafts: [],
      warnings: [],
      rejected: [1, 2, 3].map((n) => ({ code: "x", path: `[${n}]`, message: "no", item: null })),
    }),
  };
  const opened = new IntegrationTable([integration("p", source)]).open("p", {
    headers: { "x-winnow-token": token },
    queryToken: undefined,
    pathToken: undefined,
  });
  if (typeof opened === "string") throw new Error(opened);
  const bytes = Buffer.from("[1,2,3]");
  const base = { isTruncated: false, contentType: undefined, contentEncoding: undefined, headers: {}, receivedMs: 1 };
  const { items } = await intake(
    { ...base, integration: opened, bytes },
    { limits: receiverLimits, logger: silentLogger() },
  );
  const letters = items as readonly { id: string; bytes: number; reason: { text: string } }[];
  t.same(
    letters.map((letter) => letter.bytes),
    [7, 0, 0],
  );
  t.match(letters[1]?.reason.text, letters[0]?.id);
  t.equal(new Set(letters.map((letter) => letter.id)).size, 3);
});

await t.test("warnings in an answer are limited", async (t) => {
  const { warnings, rejections } = await takeJson(Array.from({ length: 300 }, () => ({})));
  t.equal(rejections.length, 300);
  t.equal(warnings.length, receiverLimits.warnings);
  t.match(warnings.at(-1), { code: "more_warnings", message: /201/ });
});
