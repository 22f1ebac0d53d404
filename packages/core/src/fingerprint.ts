import type { AlertDraft, AlertEvent, KeyPart, MappingWarning } from "@winnow/contracts";
import { comparePart, fitFields, fitIdentity, type MutableDraft } from "./event-limits.ts";
import { flatText } from "./flat-text.ts";

/** SHA-256 of UTF-8 text as 64 hex digits. */
type TextHash = (text: string) => string;

/**
 * The text that a fingerprint hashes. Every text stands behind its length in UTF-16 units, so that no two identities
 * share a text: `a|b` and `a`, `|b` differ. Parts are sorted, values are NFC and trimmed, letter case is kept.
 */
export function identityDigestText(tenant: string, integration: string, identity: readonly KeyPart[]): string {
  const normal = identity.every(isNormalPart) ? identity : identity.map(normalPart);
  const parts = isSorted(normal) ? normal : normal.toSorted(comparePart);
  let text = framed(tenant) + framed(integration);
  for (const part of parts) text += framed(part.k) + framed(part.v);
  return text;
}

// ASCII text is the same in every normal form; asking is much cheaper than normalising.
const beyondAscii = /[^\0-\x7f]/;

function isNormalPart({ k, v }: KeyPart): boolean {
  return !beyondAscii.test(k) && !beyondAscii.test(v) && v.trim() === v;
}

function normalPart(part: KeyPart): KeyPart {
  return { k: normalText(part.k), v: normalText(part.v).trim() };
}

function normalText(text: string): string {
  return beyondAscii.test(text) ? text.normalize("NFC") : text;
}

/** 32 hex digits over tenant, integration and identity. `hash` gives 64 hex digits. */
export function fingerprintOf(
  tenant: string,
  integration: string,
  identity: readonly KeyPart[],
  hash: TextHash,
): string {
  const hex = hash(identityDigestText(tenant, integration, identity));
  return flatText([hex.slice(0, 16), hex.slice(16, 32)], "");
}

function framed(text: string): string {
  return `${text.length}:${text}`;
}

function isSorted(parts: readonly KeyPart[]): boolean {
  let previous: KeyPart | undefined;
  for (const part of parts) {
    if (previous !== undefined && comparePart(previous, part) > 0) return false;
    previous = part;
  }
  return true;
}

/** Draft fields that an identity recipe may name as they are; beside them `labels.NAME` and `resource.NAME`. */
export const recipeFields = ["host", "service", "environment", "component", "class", "dedup_key"] as const;
type RecipeField = (typeof recipeFields)[number];

/**
 * True when an identity recipe may hold this part. Titles, values, severities, times and the sender's group key may not
 * be part of an identity: they change while the alert stays the same.
 */
export function isRecipePart(part: string): boolean {
  return recipeFields.includes(part as RecipeField) || /^(?:labels|resource)\../.test(part) || isRulePart(part);
}

function isRulePart(part: string): boolean {
  return part === "rule.id" || part === "rule.name";
}

/**
 * The identity that a recipe of the configuration makes: `[host, service, labels.team]`. Where a part is missing all
 * labels take its place, with a warning, so that alerts are rather told apart too finely than thrown together.
 * `exclude` names labels that never take part.
 */
export function identityFromRecipe(
  draft: AlertDraft,
  recipe: readonly string[],
  exclude: readonly string[] = [],
): { identity: KeyPart[]; warnings: MappingWarning[] } {
  const identity: KeyPart[] = [];
  const missing: string[] = [];
  for (const part of recipe) {
    const values = recipeValues(draft, part).filter((value) => value.trim() !== "");
    if (values.length === 0) missing.push(part);
    for (const value of values) identity.push({ k: part, v: value });
  }
  if (missing.length === 0 && identity.length > 0) return { identity, warnings: [] };
  const message = `${missing.join(", ")} missing: all labels identify the alert instead`;
  const warnings = [{ code: "identity_part_missing", path: "identity", message }];
  return { identity: identityFromLabels(draft, exclude), warnings };
}

function recipeValues(draft: AlertDraft, part: string): readonly string[] {
  if (part.startsWith("labels.")) return ownEntry(draft.labels, part.slice(7)) ?? [];
  if (part.startsWith("resource.")) return listOf(ownEntry(draft.resource ?? {}, part.slice(9)));
  if (part === "rule.id") return listOf(draft.rule?.id);
  if (part === "rule.name") return listOf(draft.rule?.name);
  return isRecipePart(part) ? listOf(draft[part as RecipeField]) : [];
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

function ownEntry<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** All labels, else the source's own identity, else its dedup key: never a constant. */
function identityFromLabels(draft: AlertDraft, exclude: readonly string[]): KeyPart[] {
  const parts: KeyPart[] = [];
  for (const [name, values] of Object.entries(draft.labels)) {
    if (exclude.includes(name)) continue;
    for (const value of values) if (value !== "") parts.push({ k: name, v: value });
  }
  if (parts.length > 0) return parts;
  return draft.identity.length > 0 ? draft.identity : [{ k: "dedup_key", v: draft.dedup_key }];
}

/** What the receiver knows beside the draft. */
export interface FinishOptions {
  readonly tenant: string;
  /** Partition key of correlation. */
  readonly scope: string;
  /** Source type, also the parser's name. */
  readonly source: string;
  readonly integration: string;
  readonly parserVersion: number;
  readonly receivedMs: number;
  /** The sender's own id of the delivery, or one that the receiver derived from the bytes. */
  readonly deliveryId: string;
  /** Place of the draft in its delivery. */
  readonly itemIndex: number;
  /** Identity by configuration instead of by the source. */
  readonly identityRecipe?: readonly string[];
  readonly identityExclude?: readonly string[];
  readonly hash: TextHash;
}

/**
 * Makes a draft an event: bounds and repairs its texts, settles its identity, and adds fingerprint and ids. It never
 * refuses a draft: what had to be changed is told by warnings. The same delivery, item and content give the same
 * `event_id`. Two hashes per event.
 */
export function finishEvent(
  draft: AlertDraft,
  options: FinishOptions,
): { event: AlertEvent; warnings: MappingWarning[] } {
  const warnings: MappingWarning[] = [];
  const event = {
    spec: "winnow.alert/1" as const,
    event_id: "",
    delivery_id: options.deliveryId,
    tenant: options.tenant,
    scope: options.scope,
    source: options.source,
    integration: options.integration,
    fingerprint: "",
    received_ms: options.receivedMs,
    ...(draft as MutableDraft),
    mapping: { parser: options.source, version: options.parserVersion },
  };
  fitFields(event, warnings);
  event.identity = fitIdentity(chooseIdentity(event, options, warnings), options.hash, warnings);
  event.fingerprint = fingerprintOf(options.tenant, options.integration, event.identity, options.hash);
  event.event_id = eventId(event, event.fingerprint, options);
  return { event, warnings };
}

function chooseIdentity(draft: AlertDraft, options: FinishOptions, warnings: MappingWarning[]): readonly KeyPart[] {
  const exclude = options.identityExclude ?? [];
  if (options.identityRecipe !== undefined && options.identityRecipe.length > 0) {
    const made = identityFromRecipe(draft, options.identityRecipe, exclude);
    warnings.push(...made.warnings);
    return made.identity;
  }
  const kept = exclude.length === 0 ? draft.identity : draft.identity.filter((part) => !exclude.includes(part.k));
  if (kept.length > 0) return kept;
  if (draft.identity.length > 0) {
    const message = "identity_exclude would leave nothing, so it was not applied";
    warnings.push({ code: "identity_exclude_ignored", path: "identity", message });
    return draft.identity;
  }
  if (draft.kind === "alert") {
    const message = "the source gave no identity: all labels identify the alert instead";
    warnings.push({ code: "identity_part_missing", path: "identity", message });
  }
  return identityFromLabels(draft, exclude);
}

/** Shaped as a UUID of version 8 (made by a scheme of one's own) over what makes a redelivery the same. */
function eventId(draft: AlertDraft, fingerprint: string, options: FinishOptions): string {
  const { deliveryId, itemIndex } = options;
  const occurred = draft.occurred_ms ?? "";
  const hex = options.hash(`${framed(deliveryId)}${itemIndex}:${fingerprint}${draft.action}:${occurred}`);
  const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) & 3];
  const groups = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return flatText(groups, "-");
}
