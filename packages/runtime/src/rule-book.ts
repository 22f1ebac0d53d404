import type { CompiledRuleSet } from "@winnow/core";

/** Compiled rule sets by digest. */
export interface RuleBook {
  /** What decides before any activation: the catch-all alone. */
  readonly initial: CompiledRuleSet;
  /** Rejects with WinnowError `rule_set_missing` while the set is not stored. */
  get(digest: string): Promise<CompiledRuleSet>;
}
