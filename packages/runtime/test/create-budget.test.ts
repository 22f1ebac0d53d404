import t from "tap";
import { CreateBudget } from "../src/create-budget.ts";

await t.test("no minute sees more creates than allowed, and each that waits is told a slot of its own", async (t) => {
  const budget = new CreateBudget(2);
  t.equal(budget.take(0, "P3"), 0);
  t.equal(budget.take(10_000, "P3"), 0);
  t.equal(budget.take(20_000, "P3"), 40_000, "until the first is a minute old");
  t.equal(budget.take(20_000, "P3"), 50_000, "until the second is");
  t.equal(budget.take(20_000, "P3"), 60_000, "and never longer than a minute");
  t.equal(budget.take(60_000, "P3"), 0);
  t.equal(budget.take(70_000, "P3"), 0);
  t.equal(budget.take(80_000, "P3"), 40_000);
});

await t.test("a more urgent create goes before those that wait already", async (t) => {
  const budget = new CreateBudget(1);
  t.equal(budget.take(0, "P4"), 0);
  t.equal(budget.take(1_000, "P4"), 59_000);
  t.equal(budget.take(2_000, "P1"), 58_000, "the same slot");
  t.equal(budget.take(60_000, "P4"), 60_000, "which is kept for it");
  t.equal(budget.take(60_500, "P1"), 0);
});

await t.test("a slot is not kept for one that does not come", async (t) => {
  const budget = new CreateBudget(1);
  t.equal(budget.take(0, "P4"), 0);
  t.equal(budget.take(1_000, "P1"), 59_000);
  t.equal(budget.take(62_500, "P4"), 0);
});
