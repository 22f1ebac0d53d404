import { hash } from "node:crypto";
import { AlertDraft, AlertEvent, type KeyPart } from "@winnow/contracts";
import {
  eventLimits,
  type FinishOptions,
  fingerprintOf,
  finishEvent,
  identityDigestText,
  identityFromRecipe,
  isRecipePart,
} from "@winnow/core";
import fc from "fast-check";
import t from "tap";
import { Value } from "typebox/value";

const sha256 = (text: string): string => hash("sha256", text, "hex");

const draft: AlertDraft = {
  kind: "alert",
  action: "fire",
  status: "firing",
  severity: "critical",
  title: "Disk full",
  identity: [
    { k: "host", v: "db-01" },
    { k: "check", v: "disk" },
  ],
  dedup_key: "db-01/disk",
  host: "db-01",
  labels: { team: ["payments"], group: ["linux", "prod"] },
  annotations: {},
  links: [],
  occurred_ms: 1_000,
  time_quality: "exact",
};

const options: FinishOptions = {
  tenant: "default",
  scope: "default",
  source: "nagios",
  integration: "nagios-eu",
  parserVersion: 3,
  receivedMs: 2_000,
  deliveryId: "delivery-1",
  itemIndex: 0,
  hash: sha256,
};

const finish = (change: Partial<AlertDraft> = {}, changed: Partial<FinishOptions> = {}) =>
  finishEvent({ ...draft, ...change }, { ...options, ...changed });

const warningCodes = (change: Partial<AlertDraft>): string[] => finish(change).warnings.map(({ code }) => code);

/** Reads a digest text back: what can be read back in one way only was written in one way only. */
function readBack(text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const colon = text.indexOf(":", at);
    const length = Number(text.slice(at, colon));
    parts.push(text.slice(colon + 1, colon + 1 + length));
    at = colon + 1 + length;
  }
  return parts;
}

// Texts that look like the encoding itself are the ones that could break it.
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "1", ":", "|", "=", " ", "é", "e\u0301", "😀"), maxLength: 6 }),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);
const part = fc.record({ k: text, v: text });

const normal = ({ k, v }: KeyPart): KeyPart => ({ k: k.normalize("NFC"), v: v.normalize("NFC").trim() });
const compare = (left: KeyPart, right: KeyPart): number => {
  if (left.k !== right.k) return left.k < right.k ? -1 : 1;
  if (left.v === right.v) return 0;
  return left.v < right.v ? -1 : 1;
};

await t.test("the digest text can be read back, so no two identities share one", async (t) => {
  fc.assert(
    fc.property(text, text, fc.array(part, { maxLength: 6 }), (tenant, integration, identity) => {
      const read = readBack(identityDigestText(tenant, integration, identity));
      const want = identity
        .map(normal)
        .toSorted(compare)
        .flatMap(({ k, v }) => [k, v]);
      t.strictSame(read, [tenant, integration, ...want]);
    }),
    { numRuns: 500 },
  );
});

await t.test("a|b and a, |b are told apart, and so are name and value", async (t) => {
  const texts = [
    identityDigestText("t", "i", [{ k: "a|b", v: "c" }]),
    identityDigestText("t", "i", [{ k: "a", v: "|bc" }]),
    identityDigestText("t", "i", [
      { k: "a", v: "|b" },
      { k: "c", v: "" },
    ]),
    identityDigestText("ti", "", [{ k: "a|b", v: "c" }]),
    identityDigestText("t", "i", [{ k: "", v: "a|bc" }]),
    identityDigestText("t", "i", []),
  ];
  t.equal(new Set(texts).size, texts.length);
});

await t.test("neither the order of parts nor the form of Unicode matters, letter case does", async (t) => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (identity) => {
      const one = fingerprintOf("t", "i", identity, sha256);
      t.equal(fingerprintOf("t", "i", identity.toReversed(), sha256), one);
      const decomposed = identity.map(({ k, v }) => ({ k: k.normalize("NFD"), v: ` ${v.normalize("NFD")}\n` }));
      t.equal(fingerprintOf("t", "i", decomposed, sha256), one);
    }),
  );
  const of = (v: string) => fingerprintOf("t", "i", [{ k: "host", v }], sha256);
  t.not(of("DB"), of("db"));
  t.match(of("db"), /^[0-9a-f]{32}$/);
});

await t.test("tenant and integration take part in a fingerprint", async (t) => {
  const { fingerprint } = finish().event;
  t.not(finish({}, { tenant: "other" }).event.fingerprint, fingerprint);
  t.not(finish({}, { integration: "other" }).event.fingerprint, fingerprint);
  t.equal(finish({}, { source: "other", scope: "other", deliveryId: "other" }).event.fingerprint, fingerprint);
});

await t.test("title, severity, state, times and group take no part in a fingerprint", async (t) => {
  const { fingerprint } = finish().event;
  const change: Partial<AlertDraft> = {
    title: "x",
    severity: "info",
    status: "resolved",
    action: "resolve",
    group_key: "g",
    occurred_ms: 5,
    episode_id: "e",
    labels: {},
  };
  t.equal(finish(change).event.fingerprint, fingerprint);
});

await t.test("an event is the draft and what the receiver knows, and fits its schema", async (t) => {
  const { event, warnings } = finish();
  t.strictSame(warnings, []);
  t.match(event, {
    spec: "winnow.alert/1",
    ...draft,
    delivery_id: "delivery-1",
    received_ms: 2_000,
    mapping: { parser: "nagios", version: 3 },
  });
  t.match(event.event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.strictSame([...Value.Errors(AlertEvent, event)], []);
});

await t.test("a redelivery gives the same event id, and everything that differs another one", async (t) => {
  const { event_id } = finish().event;
  t.equal(finish({}, { receivedMs: 9_999 }).event.event_id, event_id);
  const others = [
    finish({}, { deliveryId: "delivery-2" }),
    finish({}, { itemIndex: 1 }),
    finish({ action: "resolve" }),
    finish({ occurred_ms: 1_001 }),
    finish({ identity: [{ k: "host", v: "db-02" }] }),
    finish({}, { deliveryId: "delivery-11", itemIndex: 0 }),
    finish({}, { deliveryId: "delivery-1", itemIndex: 10 }),
  ].map(({ event }) => event.event_id);
  t.equal(new Set([event_id, ...others]).size, others.length + 1);
});

await t.test("an identity by recipe names its parts, several values each", async (t) => {
  const made = identityFromRecipe(draft, ["host", "labels.group"]);
  t.strictSame(made, {
    identity: [
      { k: "host", v: "db-01" },
      { k: "labels.group", v: "linux" },
      { k: "labels.group", v: "prod" },
    ],
    warnings: [],
  });
  t.strictSame(finish({}, { identityRecipe: ["host"] }).event.identity, [{ k: "host", v: "db-01" }]);
});

await t.test("a missing part of a recipe falls back to all labels with a warning, never to a constant", async (t) => {
  const recipe = { identityRecipe: ["host", "service"] };
  const one = finish({}, recipe);
  const other = finish({ labels: { team: ["billing"] } }, recipe);
  t.match(one.warnings, [{ code: "identity_part_missing", message: /service/ }]);
  t.not(other.event.fingerprint, one.event.fingerprint);
  t.strictSame(one.event.identity.map(({ k }) => k).toSorted(), ["group", "group", "team"]);
  t.strictSame(finish({ labels: {} }, recipe).event.identity, draft.identity, "no labels: the source's own identity");
  t.strictSame(
    finish({ labels: {}, identity: [] }, recipe).event.identity,
    [{ k: "dedup_key", v: "db-01/disk" }],
    "nor an identity: the dedup key",
  );
  for (const blank of ["constructor", "labels.__proto__", "title", "severity"])
    t.match(identityFromRecipe(draft, [blank]).warnings, [{ code: "identity_part_missing" }], blank);
});

await t.test("labels that are left out take no part, and never leave nothing", async (t) => {
  const identity = [
    { k: "alertname", v: "A" },
    { k: "pod", v: "p-1" },
  ];
  const without = finish({ identity }, { identityExclude: ["pod"] });
  t.strictSame(without.event.identity, [{ k: "alertname", v: "A" }]);
  t.strictSame(without.warnings, []);
  const none = finish({ identity }, { identityExclude: ["pod", "alertname"] });
  t.strictSame(none.event.identity, identity);
  t.match(none.warnings, [{ code: "identity_exclude_ignored" }]);
  const fallback = identityFromRecipe(draft, ["service"], ["team"]);
  t.strictSame(
    fallback.identity.map(({ k }) => k),
    ["group", "group"],
  );
});

await t.test("an alert without an identity is told apart by its labels, with a warning", async (t) => {
  const { event, warnings } = finish({ identity: [] });
  t.equal(event.identity.length, 3);
  t.match(warnings, [{ code: "identity_part_missing" }]);
  t.strictSame(finish({ identity: [], kind: "test" }).warnings, [], "only alerts need one");
});

await t.test("a recipe may hold nothing that changes while the alert stays the same", async (t) => {
  for (const good of ["host", "service", "labels.team", "labels.a.b", "resource.host.id", "rule.id", "dedup_key"])
    t.ok(isRecipePart(good), good);
  for (const bad of [
    "title",
    "severity",
    "group_key",
    "occurred_ms",
    "description",
    "labels.",
    "annotations.x",
    "metric",
  ])
    t.notOk(isRecipePart(bad), bad);
});

await t.test("a text at its limit stays, one above it is clipped and says so", async (t) => {
  const fields = [
    ["title", eventLimits.titleMax],
    ["description", eventLimits.descriptionMax],
    ["dedup_key", eventLimits.nameMax],
    ["episode_id", eventLimits.nameMax],
    ["group_key", eventLimits.groupKeyMax],
    ["severity_source", eventLimits.nameMax],
    ["service", eventLimits.nameMax],
    ["host", eventLimits.nameMax],
  ] as const;
  for (const [field, max] of fields) {
    t.strictSame(warningCodes({ [field]: "x".repeat(max) }), [], field);
    const { event, warnings } = finish({ [field]: "x".repeat(max + 1) });
    t.match(warnings, [{ code: "text_clipped", path: field }], field);
    t.equal(event[field]?.length, max, field);
    t.equal(event[field]?.at(-1), "…", field);
  }
});

await t.test("clipping never halves a surrogate pair", async (t) => {
  const { event } = finish({ title: `${"x".repeat(eventLimits.titleMax - 2)}😀😀` });
  t.ok(event.title.isWellFormed());
  t.ok(event.title.length <= eventLimits.titleMax);
});

await t.test("NUL and lone surrogates are made storable wherever they stand, and told", async (t) => {
  const bad = "a\0b\ud800c";
  const good = "a\ufffdb\ufffdc";
  const { event, warnings } = finish({
    title: bad,
    identity: [{ k: "host", v: bad }],
    labels: { [bad]: [bad] },
    annotations: { note: bad },
    links: [{ href: "https://example.org", text: bad, rel: "alert" }],
    metric: { name: bad },
    actor: { name: bad },
  });
  t.equal(event.title, good);
  t.strictSame(event.labels, { [good]: [good] });
  t.notMatch(JSON.stringify(event), /\\u0000|\\ud800/);
  t.ok(warnings.length > 5 && warnings.every(({ code }) => code === "text_repaired"));
  t.strictSame(finish({ title: "pairs 😀 stay" }).warnings, []);
});

await t.test("empty label values and names that would change a prototype vanish", async (t) => {
  const labels = JSON.parse(
    '{"empty": [""], "some": ["", "x"], "none": [], "__proto__": ["y"]}',
  ) as AlertDraft["labels"];
  const { event } = finish({ labels });
  t.strictSame(event.labels, { some: ["x"] });
  t.equal(Object.getPrototypeOf(event.labels), Object.prototype);
});

await t.test("more than may be kept is left out, and told", async (t) => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`n${n}`, "v"]));
  const labels = (count: number) => Object.fromEntries(Object.keys(many(count)).map((name) => [name, ["v"]]));
  t.strictSame(warningCodes({ labels: labels(eventLimits.labelsMax) }), []);
  t.strictSame(warningCodes({ labels: labels(eventLimits.labelsMax + 1) }), ["label_dropped"]);
  t.equal(Object.keys(finish({ labels: labels(500) }).event.labels).length, eventLimits.labelsMax);
  t.strictSame(warningCodes({ labels: { a: Array.from({ length: 65 }, (_, n) => `${n}`) } }), ["label_dropped"]);
  t.strictSame(warningCodes({ labels: { a: ["x".repeat(eventLimits.labelValueMax)] } }), []);
  t.strictSame(warningCodes({ labels: { a: ["x".repeat(eventLimits.labelValueMax + 1)] } }), ["text_clipped"]);
  t.strictSame(warningCodes({ labels: { ["x".repeat(256)]: ["v"] } }), ["label_dropped"]);
  t.strictSame(warningCodes({ annotations: many(eventLimits.annotationsMax) }), []);
  t.strictSame(warningCodes({ annotations: many(eventLimits.annotationsMax + 1) }), ["annotation_dropped"]);
  t.strictSame(warningCodes({ resource: many(eventLimits.resourceMax + 1) }), ["resource_dropped"]);
  const link = (length: number) => ({ href: `https://${"x".repeat(length - 8)}`, rel: "alert" as const });
  t.strictSame(warningCodes({ links: [link(eventLimits.linkHrefMax)] }), []);
  t.strictSame(warningCodes({ links: [link(eventLimits.linkHrefMax + 1)] }), ["link_dropped"]);
  t.strictSame(warningCodes({ links: Array.from({ length: eventLimits.linksMax + 1 }, () => link(20)) }), [
    "link_dropped",
  ]);
});

await t.test("warnings of one event are bounded too", async (t) => {
  const labels = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`n${n}`, ["x".repeat(5_000)]]));
  t.equal(finish({ labels }).warnings.length, eventLimits.warningsMax);
});

await t.test(
  "an identity that is too long or has too many parts is bounded and still tells alerts apart",
  async (t) => {
    const long = (end: string) => finish({ identity: [{ k: "path", v: `${"x".repeat(10_000)}${end}` }] });
    t.match(long("1").warnings, [{ code: "identity_folded" }]);
    t.ok((long("1").event.identity[0]?.v.length ?? 0) <= eventLimits.identityTextMax);
    t.not(long("1").event.fingerprint, long("2").event.fingerprint);
    t.equal(long("1").event.fingerprint, long("1").event.fingerprint);
    const parts = (last: string) =>
      Array.from({ length: 200 }, (_, n) => ({ k: n === 199 ? "z" : `n${n}`, v: n === 199 ? last : "v" }));
    const wide = (last: string) => finish({ identity: parts(last) });
    t.equal(
      finish({ identity: parts("1").toReversed() }).event.fingerprint,
      wide("1").event.fingerprint,
      "the order of parts does not matter here either",
    );
    t.equal(wide("1").event.identity.length, eventLimits.identityPartsMax);
    t.not(wide("1").event.fingerprint, wide("2").event.fingerprint);
    t.equal(
      wide("1").event.fingerprint,
      fingerprintOf("default", "nagios-eu", wide("1").event.identity, sha256),
      "the stored parts make the fingerprint",
    );
  },
);

await t.test("no draft is refused, and none is changed: what comes out fits the schema", async (t) => {
  const hostile = fc.oneof(text, fc.constantFrom("", "\0", "\udfff", "x".repeat(5_000), "__proto__", "constructor"));
  const labels = fc.dictionary(hostile, fc.array(hostile, { maxLength: 3 }), { maxKeys: 6, noNullPrototype: true });
  const arbitrary = fc.record({
    title: hostile,
    dedup_key: hostile,
    host: hostile,
    identity: fc.array(fc.record({ k: hostile, v: hostile }), { maxLength: 4 }),
    labels,
    annotations: fc.dictionary(hostile, hostile, { maxKeys: 4, noNullPrototype: true }),
  });
  fc.assert(
    fc.property(arbitrary, fc.option(fc.array(hostile, { maxLength: 3 }), { nil: undefined }), (change, recipe) => {
      const input: AlertDraft = { ...draft, ...change };
      t.strictSame([...Value.Errors(AlertDraft, { ...input, title: "", dedup_key: "", host: "" })], []);
      const before = JSON.stringify(input);
      const { event } = finishEvent(input, { ...options, ...(recipe === undefined ? {} : { identityRecipe: recipe }) });
      t.strictSame([...Value.Errors(AlertEvent, event)], []);
      t.ok(event.identity.length > 0);
      t.ok(JSON.stringify(event).isWellFormed());
      t.equal(JSON.stringify(input), before);
    }),
    { numRuns: 200 },
  );
});
