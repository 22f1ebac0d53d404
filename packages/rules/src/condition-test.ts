import type { Condition } from "@winnow/contracts";
import { WinnowError } from "@winnow/platform";
import type { FieldReader } from "./fields.ts";
import { compileGlob } from "./glob.ts";
import { type RegexEngine, seen } from "./regex.ts";

/** A condition as a closure. */
export type FactTest<Facts> = (facts: Facts) => boolean;

/** How the conditions of a set are compiled. */
export interface ConditionContext<Facts> {
  readonly reader: (field: string) => FieldReader<Facts> | null;
  readonly regex: RegexEngine;
}

/**
 * Compiles one condition. A field with several values fits when any of them does; `negate` turns that around, so that
 * `not` holds for an alert without the field. Throws WinnowError `config_invalid` for what the reader of rules refuses.
 */
export function compileCondition<Facts>(condition: Condition, context: ConditionContext<Facts>): FactTest<Facts> {
  const reader = context.reader(condition.field);
  if (reader === null) throw invalid(condition, "unknown field");
  const { negate } = condition;
  const fits = compileValueTest(condition, context.regex);
  if (reader.kind === "many") return (facts) => reader.read(facts).some(fits) !== negate;
  return (facts) => {
    const value = reader.read(facts);
    return (value !== undefined && fits(value)) !== negate;
  };
}

function compileValueTest(condition: Condition, regex: RegexEngine): (value: string) => boolean {
  const [first = ""] = condition.values;
  switch (condition.op) {
    case "exists":
      return () => true;
    case "eq":
      return (value) => value === first;
    case "in": {
      const values = new Set(condition.values);
      return (value) => values.has(value);
    }
    case "glob": {
      const fits = compileGlob(first);
      return (value) => fits(seen(value));
    }
    case "re": {
      const compiled = regex.compile(first);
      if (!compiled.ok) throw invalid(condition, compiled.message);
      return compiled.test;
    }
  }
}

function invalid(condition: Condition, message: string): WinnowError {
  return new WinnowError("config_invalid", `${condition.field}: ${message}`, { fields: { field: condition.field } });
}
