import type { RuleSet } from "@winnow/contracts";
import type { TSchema } from "typebox";
import type { ProblemSays } from "./yaml-parse.ts";
import type { PathPart } from "./yaml-problems.ts";

/** A finding of the rule reader. Its path starts at the input: `["rules", 3, "match", "labels.team"]`. */
export interface RuleFinding extends ProblemSays {
  readonly path: readonly PathPart[];
  /** Whether it points at the key or at the value; the value by default. */
  readonly at?: "key" | "value";
}

/** The rule part of a configuration, each piece checked against its schema. Null = not written at all. */
export interface RuleInput {
  readonly rules: readonly unknown[] | null;
  readonly routes: readonly unknown[] | null;
  readonly priority: unknown;
  /** Names of the configured destinations; null = not known, so that routes are not held against them. */
  readonly destinations: readonly string[] | null;
  /** Values that `source` and `integration` can have; null = not known. */
  readonly sourceTypes: readonly string[] | null;
  readonly integrations: readonly string[] | null;
}

/**
 * The rule language, passed in: the configuration holds rules, and the package that reads them lies above this one.
 * `@winnow/rules` exports it as `ruleLanguage`.
 */
export interface RuleLanguage {
  readonly schemas: { readonly rule: TSchema; readonly route: TSchema; readonly priority: TSchema };
  /** Never throws. The rule set is of use only when there are no errors. */
  read(input: RuleInput): {
    readonly ruleSet: RuleSet;
    readonly errors: readonly RuleFinding[];
    readonly warnings: readonly RuleFinding[];
  };
  /** True when an integration's identity recipe may hold this part. */
  isIdentityPart(part: string): boolean;
}
