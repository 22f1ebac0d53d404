import type { RuleSet } from "@winnow/contracts";
import { checkYaml, configKeys, type YamlProblem } from "@winnow/platform";
import { Type } from "typebox";
import { ruleLanguage } from "./read-rules.ts";
import { prioritySchema, routeSchema, ruleLimits, ruleSchema } from "./schema.ts";

export type ParsedRules =
  | { readonly ok: true; readonly ruleSet: RuleSet; readonly warnings: readonly YamlProblem[] }
  | { readonly ok: false; readonly errors: readonly YamlProblem[] };

/** What the text is held against, beside its own schema; what is left out is not judged. */
export interface RuleSurroundings {
  readonly destinations?: readonly string[];
  readonly sourceTypes?: readonly string[];
  readonly integrations?: readonly string[];
}

const ruleKeys = {
  rules: Type.Optional(Type.Array(ruleSchema, { maxItems: ruleLimits.rulesMax })),
  routes: Type.Optional(Type.Array(routeSchema, { maxItems: ruleLimits.routesMax })),
  priority: prioritySchema,
};

/**
 * Judges the rule part of one YAML text: `rules`, `routes`, `priority`. The other keys of a configuration may stand
 * beside them and are not looked at. Never throws for what the text says; `${NAME}` is plain text here.
 */
export function parseRules(text: string, file: string, surroundings: RuleSurroundings = {}): ParsedRules {
  const others = Object.fromEntries(configKeys.map((key) => [key, Type.Optional(Type.Unknown())]));
  const schema = Type.Object({ ...others, ...ruleKeys }, { additionalProperties: false, "x-interpolate": false });
  const checked = checkYaml(text, file, schema, { env: {} });
  if (!checked.ok) return checked;
  const { rules, routes, priority } = checked.value;
  const { ruleSet, errors, warnings } = ruleLanguage.read({
    rules: rules ?? null,
    routes: routes ?? null,
    priority,
    destinations: surroundings.destinations ?? null,
    sourceTypes: surroundings.sourceTypes ?? null,
    integrations: surroundings.integrations ?? null,
  });
  const placed = (findings: typeof errors): readonly YamlProblem[] =>
    findings.map((one) => checked.text.problem(checked.text.locate(one.path, one.at), one.path, one));
  return errors.length > 0 ? { ok: false, errors: placed(errors) } : { ok: true, ruleSet, warnings: placed(warnings) };
}
