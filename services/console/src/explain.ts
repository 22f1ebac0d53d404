import type { AlertFacts, Explanation, IncidentMember } from "@winnow/contracts";
import { reason, showReason } from "@winnow/contracts";
import type { CompiledRuleSet } from "@winnow/core";
import type { IncidentReader, IncidentRow, TimelineRowStored } from "@winnow/ports";
import type { RuleBook } from "@winnow/runtime";
import { timeText } from "./views.ts";

const memberPage = 500;

/** Tells why: what is stored with each decision, and "why not the other rules" recomputed from the stored event. */
export class Explainer {
  readonly #store: IncidentReader;
  readonly #rules: RuleBook;

  constructor(parts: { store: IncidentReader; rules: RuleBook }) {
    this.#store = parts.store;
    this.#rules = parts.rules;
  }

  /** One line of the incident's story, with the rules that did not take its alert. */
  async incident(row: IncidentRow, lines: readonly TimelineRowStored[]): Promise<Explanation[]> {
    const members = await this.#members(
      row.snapshot.incident_id,
      new Set(lines.flatMap((line) => (line.fingerprint === undefined ? [] : [line.fingerprint]))),
    );
    return Promise.all(lines.map(async (line) => this.#line(row, line, members.get(line.fingerprint ?? ""))));
  }

  async #line(row: IncidentRow, line: TimelineRowStored, member: IncidentMember | undefined): Promise<Explanation> {
    const digest = line.reason.rule_digest;
    const rules = digest === undefined ? null : await this.#ruleSet(digest);
    return {
      incident_id: row.snapshot.incident_id,
      fingerprint: line.fingerprint ?? null,
      seq: line.seq,
      at: timeText(line.at_ms),
      kind: line.kind,
      actor: line.actor,
      text: line.text ?? null,
      reason: showReason(line.reason),
      group_key: row.snapshot.group_key,
      why_not: rules === null || member === undefined ? [] : [...rules.whyNot(member.alert)],
    };
  }

  /** What the rules in force would make of an alert, and where it is now. */
  async alert(facts: AlertFacts, rules: CompiledRuleSet, incidentId: string | null): Promise<Explanation> {
    const match = rules.match(facts);
    const member =
      incidentId === null
        ? undefined
        : (await this.#members(incidentId, new Set([facts.fingerprint]))).get(facts.fingerprint);
    const decided =
      member?.reason ??
      reason(
        "rule_opened",
        { decided: "not yet: what the rules in force say" },
        { id: match.rule.id, digest: rules.digest },
      );
    const stored = decided.rule_digest === undefined ? null : await this.#ruleSet(decided.rule_digest);
    return {
      incident_id: incidentId,
      fingerprint: facts.fingerprint,
      seq: null,
      at: null,
      kind: null,
      actor: "winnow",
      text: null,
      reason: showReason(decided),
      group_key: [...match.groupKey],
      why_not: [...(stored ?? rules).whyNot(member?.alert ?? facts)],
    };
  }

  async #ruleSet(digest: string): Promise<CompiledRuleSet | null> {
    if (digest === this.#rules.initial.digest) return this.#rules.initial;
    return this.#rules.get(digest).catch(() => null);
  }

  async #members(id: string, wanted: ReadonlySet<string>): Promise<Map<string, IncidentMember>> {
    const found = new Map<string, IncidentMember>();
    let cursor: string | undefined;
    while (found.size < wanted.size) {
      const page = await this.#store.members(id, { limit: memberPage, ...(cursor === undefined ? {} : { cursor }) });
      for (const member of page.items) if (wanted.has(member.fingerprint)) found.set(member.fingerprint, member);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    return found;
  }
}
