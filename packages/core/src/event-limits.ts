import type { AlertDraft, AlertLink, KeyPart, Labels, MappingWarning } from "@winnow/contracts";

/** Named maxima of one event. Texts count UTF-16 units. Hitting one is a warning on the event, never a refusal. */
export const eventLimits = {
  labelsMax: 128,
  labelNameMax: 255,
  labelValueMax: 4_096,
  /** Values under one label name. */
  labelValuesMax: 64,
  annotationsMax: 128,
  annotationNameMax: 255,
  annotationValueMax: 32_768,
  resourceMax: 128,
  resourceValueMax: 4_096,
  linksMax: 32,
  /** A longer address is dropped: a clipped one leads nowhere. */
  linkHrefMax: 2_048,
  identityPartsMax: 128,
  identityTextMax: 4_096,
  titleMax: 1_024,
  descriptionMax: 32_768,
  groupKeyMax: 1_024,
  nameMax: 255,
  metricTextMax: 4_096,
  /** Warnings of one event; further ones are not told. */
  warningsMax: 50,
} as const;

export const eventWarningCodes = [
  "text_clipped",
  "text_repaired",
  "label_dropped",
  "annotation_dropped",
  "resource_dropped",
  "link_dropped",
  "identity_folded",
] as const;
type EventWarningCode = (typeof eventWarningCodes)[number];

export type MutableDraft = { -readonly [Field in keyof AlertDraft]: AlertDraft[Field] };

const textFields = [
  ["title", eventLimits.titleMax],
  ["description", eventLimits.descriptionMax],
  ["dedup_key", eventLimits.nameMax],
  ["episode_id", eventLimits.nameMax],
  ["group_key", eventLimits.groupKeyMax],
  ["severity_source", eventLimits.nameMax],
  ["service", eventLimits.nameMax],
  ["environment", eventLimits.nameMax],
  ["host", eventLimits.nameMax],
  ["component", eventLimits.nameMax],
  ["class", eventLimits.nameMax],
] as const;

// Setting it on a plain object would change its prototype instead.
const inertName = "__proto__";

/**
 * Brings the fields of a draft within {@link eventLimits}, in place: clips texts (they end on "…" then), repairs what
 * cannot be stored, drops empty label values and what is too many. Nothing inside the fields is changed, only replaced.
 */
export function fitFields(draft: MutableDraft, warnings: MappingWarning[]): void {
  for (const [field, max] of textFields) {
    const text = draft[field];
    if (text !== undefined && !fits(text, max)) draft[field] = fitText(text, max, field, warnings);
  }
  draft.labels = fitLabels(draft.labels, warnings);
  draft.annotations = fitTexts(draft.annotations, "annotation", warnings);
  draft.links = fitLinks(draft.links, warnings);
  if (draft.resource !== undefined) draft.resource = fitTexts(draft.resource, "resource", warnings);
  if (draft.metric !== undefined) draft.metric = fitStrings(draft.metric, "metric", warnings);
  if (draft.rule !== undefined) draft.rule = fitStrings(draft.rule, "rule", warnings);
  if (draft.actor !== undefined) draft.actor = fitStrings(draft.actor, "actor", warnings);
  if (draft.hints !== undefined) draft.hints = fitStrings(draft.hints, "hints", warnings);
}

/** The parts as they are hashed, stored and shown: storable, bounded, and still telling apart what was told apart. */
export function fitIdentity(
  parts: readonly KeyPart[],
  hash: (text: string) => string,
  warnings: MappingWarning[],
): KeyPart[] {
  if (parts.length <= eventLimits.identityPartsMax && parts.every(identityPartFits)) return [...parts];
  const fitted = parts.map((part) =>
    identityPartFits(part)
      ? part
      : { k: fitIdentityText(part.k, hash, warnings), v: fitIdentityText(part.v, hash, warnings) },
  );
  if (fitted.length <= eventLimits.identityPartsMax) return fitted;
  fitted.sort(comparePart);
  const rest = fitted.splice(eventLimits.identityPartsMax - 1);
  warn(warnings, "identity_folded", "identity", `${rest.length} parts of the identity were folded into one`);
  fitted.push({ k: "…", v: `sha256:${hash(JSON.stringify(rest))}` });
  return fitted;
}

/** Code unit order of name, then value. */
export function comparePart(left: KeyPart, right: KeyPart): number {
  if (left.k !== right.k) return left.k < right.k ? -1 : 1;
  if (left.v === right.v) return 0;
  return left.v < right.v ? -1 : 1;
}

function identityPartFits({ k, v }: KeyPart): boolean {
  return fits(k, eventLimits.identityTextMax) && fits(v, eventLimits.identityTextMax);
}

function fitIdentityText(text: string, hash: (text: string) => string, warnings: MappingWarning[]): string {
  const storable = repaired(text, "identity", warnings);
  if (storable.length <= eventLimits.identityTextMax) return storable;
  warn(
    warnings,
    "identity_folded",
    "identity",
    `a text of ${text.length} characters was shortened to start and digest`,
  );
  return `${head(storable, eventLimits.identityTextMax - 80)}…sha256:${hash(storable)}`;
}

function fitText(text: string, max: number, path: string, warnings: MappingWarning[]): string {
  if (fits(text, max)) return text;
  const storable = repaired(text, path, warnings);
  if (storable.length <= max) return storable;
  warn(warnings, "text_clipped", path, `clipped from ${text.length} to ${max} characters`);
  return `${head(storable, max - 1)}…`;
}

function fits(text: string, max: number): boolean {
  return text.length <= max && isStorable(text);
}

/** Postgres can store neither NUL nor a lone surrogate. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

function repaired(text: string, path: string, warnings: MappingWarning[]): string {
  if (isStorable(text)) return text;
  warn(warnings, "text_repaired", path, "NUL or a lone surrogate was replaced by U+FFFD");
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

/** The first `max` units, never half of a surrogate pair. */
function head(text: string, max: number): string {
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd8_00 && last <= 0xdb_ff ? max - 1 : max);
}

function fitLabels(labels: Labels, warnings: MappingWarning[]): Labels {
  if (labelsFit(labels)) return labels;
  const kept: [string, string[]][] = [];
  let dropped = 0;
  for (const name of Object.keys(labels).toSorted()) {
    const values = (labels[name] ?? []).filter((value) => value !== "");
    if (values.length === 0) continue;
    if (name === inertName || name.length > eventLimits.labelNameMax || kept.length === eventLimits.labelsMax) {
      dropped += 1;
      continue;
    }
    if (values.length > eventLimits.labelValuesMax)
      warn(warnings, "label_dropped", "labels", `${values.length - eventLimits.labelValuesMax} values were left out`);
    const bounded = values.slice(0, eventLimits.labelValuesMax);
    kept.push([
      repaired(name, "labels", warnings),
      bounded.map((value) => fitText(value, eventLimits.labelValueMax, "labels", warnings)),
    ]);
  }
  if (dropped > 0)
    warn(warnings, "label_dropped", "labels", `${dropped} labels were left out: too many, or name too long`);
  return Object.fromEntries(kept);
}

/** The usual case, decided without a copy. */
function labelsFit(labels: Labels): boolean {
  let count = 0;
  for (const name in labels) {
    count += 1;
    if (name === inertName || !fits(name, eventLimits.labelNameMax)) return false;
    const values = labels[name];
    if (values === undefined || values.length === 0 || values.length > eventLimits.labelValuesMax) return false;
    for (const value of values) {
      if (value === "" || !fits(value, eventLimits.labelValueMax)) return false;
    }
  }
  return count <= eventLimits.labelsMax;
}

const textMaps = {
  annotation: { count: eventLimits.annotationsMax, value: eventLimits.annotationValueMax, code: "annotation_dropped" },
  resource: { count: eventLimits.resourceMax, value: eventLimits.resourceValueMax, code: "resource_dropped" },
} as const;

function fitTexts(
  texts: Readonly<Record<string, string>>,
  what: keyof typeof textMaps,
  warnings: MappingWarning[],
): Record<string, string> {
  const limits = textMaps[what];
  if (textsFit(texts, limits)) return texts;
  const names = Object.keys(texts).toSorted();
  const kept = names.filter(isUsableName).slice(0, limits.count);
  if (kept.length < names.length)
    warn(warnings, limits.code, what, `${names.length - kept.length} entries were left out: too many, or a bad name`);
  return Object.fromEntries(kept.map((name) => [name, fitText(texts[name] ?? "", limits.value, what, warnings)]));
}

function textsFit(texts: Readonly<Record<string, string>>, limits: { count: number; value: number }): boolean {
  let count = 0;
  for (const name in texts) {
    count += 1;
    const text = texts[name] ?? "";
    if (!isUsableName(name) || !fits(text, limits.value)) return false;
  }
  return count <= limits.count;
}

function isUsableName(name: string): boolean {
  return name !== inertName && fits(name, eventLimits.annotationNameMax);
}

function fitLinks(links: readonly AlertLink[], warnings: MappingWarning[]): AlertLink[] {
  if (links.length <= eventLimits.linksMax && links.every(linkFits)) return [...links];
  const usable = links.filter((link) => fits(link.href, eventLimits.linkHrefMax));
  const kept = usable.slice(0, eventLimits.linksMax);
  if (kept.length < links.length)
    warn(warnings, "link_dropped", "links", `${links.length - kept.length} links were left out: too many, or too long`);
  return kept.map((link) =>
    link.text === undefined ? link : { ...link, text: fitText(link.text, eventLimits.nameMax, "links", warnings) },
  );
}

function linkFits(link: AlertLink): boolean {
  return fits(link.href, eventLimits.linkHrefMax) && fits(link.text ?? "", eventLimits.nameMax);
}

/** Clips the texts inside a small flat object such as `metric` or `actor`. */
function fitStrings<Flat extends object>(flat: Flat, path: string, warnings: MappingWarning[]): Flat {
  const values: readonly unknown[] = Object.values(flat);
  if (values.every((value) => typeof value !== "string" || fits(value, eventLimits.metricTextMax))) return flat;
  const entries = Object.entries(flat).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === "string" ? fitText(value, eventLimits.metricTextMax, `${path}.${name}`, warnings) : value,
  ]);
  return Object.fromEntries(entries) as Flat;
}

function warn(warnings: MappingWarning[], code: EventWarningCode, path: string, message: string): void {
  if (warnings.length < eventLimits.warningsMax) warnings.push({ code, path, message });
}
