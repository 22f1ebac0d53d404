import type { AlertFacts } from "@winnow/contracts";
import { fieldValues, parseField } from "./fact-fields.ts";

/** Longest rendered title, UTF-16 units; a longer one is cut and ends in `…`. */
export const titleLengthMax = 255;

/** Stands where the alert has no such field. */
const missingText = "?";

const placeholder = /\{\{([^{}]*)\}\}/g;

/** The field names of a template's `{{field}}` placeholders, in order, unknown ones included. */
export function templateFields(template: string): readonly string[] {
  return [...template.matchAll(placeholder)].map((found) => (found[1] ?? "").trim());
}

/** True when braces are left over that belong to no placeholder: an unclosed, nested or tripled one. */
export function hasStrayBraces(template: string): boolean {
  return /\{\{\{|\}\}\}/.test(template) || /\{\{|\}\}/.test(template.replace(placeholder, ""));
}

/**
 * Renders an incident's title. Logic-less and single-pass: a value that itself holds `{{…}}` stays as it is.
 * Several values are joined by `, `; a missing field becomes `?`; line breaks and control characters become spaces.
 */
export function renderTitle(template: string, facts: AlertFacts): string {
  const text = template.replace(placeholder, (_whole, field: string) => {
    const path = parseField(field.trim());
    const values = path === null ? [] : fieldValues(facts, path);
    return values.length === 0 ? missingText : values.join(", ");
  });
  return clip(text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim());
}

/** Cuts at the limit without splitting a surrogate pair. */
function clip(text: string): string {
  if (text.length <= titleLengthMax) return text;
  const end = titleLengthMax - 1;
  const last = text.charCodeAt(end - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`;
}
