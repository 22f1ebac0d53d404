import { setImmediate } from "node:timers/promises";
import t from "tap";
import { IntakeGate } from "../src/intake-gate.ts";

/** Lets the promises that are settled by now run. */
const turn = async (): Promise<void> => setImmediate();

await t.test(
  "deliveries come in at once up to the limit, the others in order as those before them leave",
  async (t) => {
    const gate = new IntakeGate(100);
    t.equal(gate.enter(60), null);
    t.equal(gate.enter(40), null);
    const order: string[] = [];
    const waitAs = async (name: string, bytes: number): Promise<void> => {
      await gate.enter(bytes);
      order.push(name);
    };
    const waits = [waitAs("second", 50), waitAs("third", 10)];
    gate.leave(40);
    await turn();
    t.same(order, [], "50 more bytes do not fit, and the small one does not overtake");
    gate.leave(60);
    await Promise.all(waits);
    t.same(order, ["second", "third"]);
    gate.leave(50);
    gate.leave(10);
    t.equal(gate.enter(100), null, "empty again");
  },
);

await t.test("a delivery beyond the limit comes in alone", async (t) => {
  const gate = new IntakeGate(100);
  t.equal(gate.enter(1_000), null);
  const next = gate.enter(1);
  t.not(next, null);
  gate.leave(1_000);
  await next;
});
