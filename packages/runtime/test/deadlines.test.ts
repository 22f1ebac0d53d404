import fc from "fast-check";
import t from "tap";
import { Deadlines } from "../src/deadlines.ts";

const operation = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    key: fc.constantFrom("a", "b", "c", "d", "e"),
    at: fc.option(fc.integer({ min: 0, max: 50 })),
  }),
  fc.record({ kind: fc.constant("take" as const), now: fc.integer({ min: 0, max: 60 }) }),
);

await t.test("deadlines come in order of time, then key, whatever moved before", async () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80, size: "max" }), (operations) => {
      const deadlines = new Deadlines();
      const model = new Map<string, number>();
      for (const step of operations) {
        if (step.kind === "set") {
          deadlines.set(step.key, step.at);
          if (step.at === null) model.delete(step.key);
          else model.set(step.key, step.at);
        } else {
          const [first] = [...model].toSorted(
            ([leftKey, left], [rightKey, right]) => left - right || (leftKey < rightKey ? -1 : 1),
          );
          const due = first !== undefined && first[1] <= step.now ? first[0] : null;
          if (due !== null) model.delete(due);
          if (deadlines.takeDue(step.now) !== due) return false;
        }
        const next = model.size === 0 ? null : Math.min(...model.values());
        if (deadlines.next() !== next || deadlines.size !== model.size) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});
