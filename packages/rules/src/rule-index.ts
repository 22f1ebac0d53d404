import type { AlertFacts, Condition, Rule } from "@winnow/contracts";
import { type FieldPath, fieldValues, type KeyedAlertField, parseField } from "@winnow/core";

type Positions = number[];
type ByValue = Map<string, Positions>;
/** From so many names on, the alert's own names are looked up instead of all that the rules name. */
const namesScannedMax = 8;

interface PlainSlot {
  readonly path: FieldPath;
  readonly byValue: ByValue;
}

interface KeyedSlot {
  readonly name: KeyedAlertField;
  readonly byKey: Map<string, ByValue>;
}

/**
 * Finds the few rules that can fit an alert: each rule is filed under the equality of its match that the fewest other
 * rules share, so that a thousand rules cost a look-up and not a thousand tests. Rules without an equality are
 * always candidates.
 */
export class RuleIndex {
  readonly #plain: readonly PlainSlot[];
  readonly #keyed: readonly KeyedSlot[];
  readonly #always: Positions = [];
  readonly #filed = new Map<number, Condition>();

  constructor(rules: readonly { readonly position: number; readonly rule: Rule }[]) {
    const plain = new Map<string, PlainSlot>();
    const keyed = new Map<KeyedAlertField, KeyedSlot>();
    const shares = countShares(rules.map(({ rule }) => rule));
    for (const { position, rule } of rules) {
      const filed = rarest(rule.match, shares);
      if (filed === null) {
        this.#always.push(position);
        continue;
      }
      const { condition, path } = filed;
      this.#filed.set(position, condition);
      const byValue = path.kind === "plain" ? slotOf(plain, path).byValue : keyOf(keyed, path);
      for (const value of new Set(condition.values)) push(byValue, value, position);
    }
    this.#plain = [...plain.values()];
    this.#keyed = [...keyed.values()];
  }

  /** The condition that the rule is filed under: it holds for every candidate and need not be tested again. */
  filedUnder(position: number): Condition | undefined {
    return this.#filed.get(position);
  }

  /** Positions of the rules that can fit, in rising order, each once. */
  candidates(facts: AlertFacts): Candidates {
    const lists: Positions[] = this.#always.length === 0 ? [] : [this.#always];
    for (const { path, byValue } of this.#plain) collect(byValue, fieldValues(facts, path), lists);
    for (const slot of this.#keyed) collectKeyed(slot, facts, lists);
    return new Candidates(lists);
  }
}

/** Merges rising lists on the way, so that an early match costs nothing of the rest. */
export class Candidates {
  readonly #lists: readonly Positions[];
  readonly #cursors: number[];
  #last = -1;

  constructor(lists: readonly Positions[]) {
    this.#lists = lists;
    this.#cursors = lists.map(() => 0);
  }

  /** The next position, or -1 after the last. */
  next(): number {
    let best = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#lists.length; index += 1) {
      const list = this.#lists[index] ?? [];
      let cursor = this.#cursors[index] ?? 0;
      while (cursor < list.length && (list[cursor] ?? 0) <= this.#last) cursor += 1;
      this.#cursors[index] = cursor;
      best = Math.min(best, list[cursor] ?? Number.POSITIVE_INFINITY);
    }
    if (best === Number.POSITIVE_INFINITY) return -1;
    this.#last = best;
    return best;
  }
}

function isFilable(condition: Condition): boolean {
  return !condition.negate && (condition.op === "eq" || condition.op === "in");
}

function shareKey(field: string, value: string): string {
  return `${field}\u0000${value}`;
}

function countShares(rules: readonly Rule[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const condition of rules.flatMap((rule) => rule.match.filter(isFilable))) {
    for (const value of condition.values) {
      const key = shareKey(condition.field, value);
      shares.set(key, (shares.get(key) ?? 0) + 1);
    }
  }
  return shares;
}

/** The equality that the fewest rules share. */
function rarest(
  match: readonly Condition[],
  shares: ReadonlyMap<string, number>,
): { readonly condition: Condition; readonly path: FieldPath } | null {
  let best: { readonly condition: Condition; readonly path: FieldPath } | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const condition of match.filter(isFilable)) {
    const path = parseField(condition.field);
    const cost = Math.max(...condition.values.map((value) => shares.get(shareKey(condition.field, value)) ?? 0));
    if (path === null || cost >= bestCost) continue;
    best = { condition, path };
    bestCost = cost;
  }
  return best;
}

function slotOf(slots: Map<string, PlainSlot>, path: FieldPath & { readonly kind: "plain" }): PlainSlot {
  const slot = slots.get(path.name) ?? { path, byValue: new Map() };
  slots.set(path.name, slot);
  return slot;
}

function keyOf(slots: Map<KeyedAlertField, KeyedSlot>, path: FieldPath & { readonly kind: "keyed" }): ByValue {
  const slot = slots.get(path.name) ?? { name: path.name, byKey: new Map<string, ByValue>() };
  slots.set(path.name, slot);
  const byValue = slot.byKey.get(path.key) ?? new Map<string, Positions>();
  slot.byKey.set(path.key, byValue);
  return byValue;
}

function push(byValue: ByValue, value: string, position: number): void {
  const positions = byValue.get(value);
  if (positions === undefined) byValue.set(value, [position]);
  else positions.push(position);
}

function collect(byValue: ByValue, values: readonly string[], lists: Positions[]): void {
  for (const value of values) {
    const positions = byValue.get(value);
    if (positions !== undefined) lists.push(positions);
  }
}

function collectKeyed(slot: KeyedSlot, facts: AlertFacts, lists: Positions[]): void {
  if (slot.byKey.size <= namesScannedMax) {
    for (const [key, byValue] of slot.byKey)
      collect(byValue, fieldValues(facts, { kind: "keyed", name: slot.name, key }), lists);
    return;
  }
  for (const key of namesIn(facts, slot.name)) {
    const byValue = slot.byKey.get(key);
    if (byValue !== undefined) collect(byValue, fieldValues(facts, { kind: "keyed", name: slot.name, key }), lists);
  }
}

function namesIn(facts: AlertFacts, name: KeyedAlertField): Iterable<string> {
  if (name === "identity") return new Set(facts.identity.map((part) => part.k));
  return Object.keys(facts[name] ?? {});
}
