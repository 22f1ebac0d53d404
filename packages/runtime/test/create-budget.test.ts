import t from "tap";
import { CreateBudget } from "../src/create-budget.ts";

await t.test("no minute sees more creates than allowed, and the wait is told exactly", async (t) => {
  const budget = new CreateBudget(2);
  t.equal(budget.take(0), 0);
  t.equal(budget.take(10_000), 0);
  t.equal(budget.take(20_000), 40_000, "until the first is a minute old");
  t.equal(budget.take(59_999), 1);
  t.equal(budget.take(60_000), 0);
  t.equal(budget.take(60_001), 9_999);
});
