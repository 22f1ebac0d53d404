import t from "tap";
import { mapBody, resend } from "../src/resend.ts";
import { alerts, startWorld } from "./support/world.ts";

const stored = (text: string, integration = "prom") => ({
  integration,
  body: Buffer.from(text),
  contentType: "application/json",
});

await t.test("a body is mapped without being stored", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  t.match(await mapBody(world.receiver, stored(alerts("a"))), [{ title: "a", integration: "prom" }]);
  t.same(await mapBody(world.receiver, stored("nonsense")), []);
  t.equal(await mapBody(world.receiver, stored("{}", "gone")), null);
  t.same(world.log.items(), []);
});

await t.test(
  "a dead letter goes in again: as a body, as one item of a batch, or as the event that it was",
  async (t) => {
    const world = await startWorld();
    t.teardown(world.close);
    t.same(await resend(world.receiver, stored(alerts("a", "b"))), { accepted: 2, dead_lettered: 0 });
    t.same(await resend(world.receiver, stored('{"name":"c"}')), { accepted: 1, dead_lettered: 0 });
    const [event] = (await mapBody(world.receiver, stored(alerts("d")))) ?? [];
    t.same(await resend(world.receiver, stored(JSON.stringify(event))), { accepted: 1, dead_lettered: 0 });
    t.same(await resend(world.receiver, stored("nonsense")), { accepted: 0, dead_lettered: 1 });
    t.equal(await resend(world.receiver, stored("{}", "gone")), null);
    const titles = world.log.items().map((item) => (item as { title?: string }).title ?? "dead letter");
    t.same(titles.toSorted(), ["a", "b", "c", "d", "dead letter"]);
    t.same(world.delivered, [], "what a person sends again is no sign of life of its integration");
  },
);

await t.test("what cannot be stored again rejects, so that the dead letter keeps waiting", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.log.failNext("log_write_failed");
  await t.rejects(resend(world.receiver, stored(alerts("a"))), { code: "log_write_failed" });
  t.same(world.log.items(), []);
});
