import t from "tap";
import { alerts, integration, rawSocket, startWorld, token } from "./support/world.ts";

await t.test("a delivery is durable before it is answered 202", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.log.hold();
  const appended = Promise.withResolvers<void>();
  world.log.onAppend = () => {
    appended.resolve();
  };
  let answered = false;
  const answer = world.post(alerts("a")).then((it) => {
    answered = true;
    return it;
  });
  await appended.promise;
  t.notOk(answered, "no answer while the log has not said that it is durable");
  world.log.release();
  const { status, json, headers } = await answer;
  t.equal(status, 202);
  t.match(headers.get("content-type"), /^application\/json/);
  t.match(json, { id: /^[0-9a-f]{64}$/, accepted: 1, dead_lettered: 0, warnings: [] });
  t.match(world.log.items(), [{ title: "a", integration: "prom", source: "list", received_ms: world.clock.now() }]);
  t.same(world.delivered, [["prom", world.clock.now()]]);
});

await t.test("what must follow the local write is waited for, and told where the delivery ends", async (t) => {
  const told = Promise.withResolvers<ReadonlyMap<number, number>>();
  const replicated = Promise.withResolvers<void>();
  const world = await startWorld({
    afterDurable: (ends) => {
      told.resolve(ends);
      return replicated.promise;
    },
  });
  t.teardown(world.close);
  let answered = false;
  const answer = world.post(alerts("a", "b", "c", "d", "e", "f", "g", "h")).then((it) => {
    answered = true;
    return it;
  });
  const ends = await told.promise;
  t.same(new Set(ends.keys()), new Set(world.log.appends));
  for (const [partition, end] of ends) t.equal(end, world.log.values(partition).length);
  t.notOk(answered);
  replicated.resolve();
  t.equal((await answer).status, 202);
});

await t.test("a batch makes one record per partition, with the sender's delivery id", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const names = Array.from({ length: 50 }, (_, n) => `alert-${n}`);
  const body = JSON.stringify({ id: "delivery-7", alerts: names.map((name) => ({ name })) });
  const { json } = await world.post(body);
  t.match(json, { id: "delivery-7", accepted: 50, dead_lettered: 0 });
  t.equal(world.log.appends.length, 4, "50 alerts reach four partitions in four records");
  const titles = world.log.items().map((item) => (item as { title: string }).title);
  t.same(titles.toSorted(), names.toSorted());
});

await t.test("PUT is as good as POST, and a path token as good as a header", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { status } = await world.send(`/v1/in/prom/${token}`, { method: "PUT", body: alerts("a") });
  t.equal(status, 202);
  t.equal((await world.send("/v1/in/prom", { method: "GET" })).status, 404);
});

await t.test("bad items become dead letters one by one while the good ones go on", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { status, json } = await world.post('{"alerts":[{"name":"a"},{"nam":"b"},{"name":"c"},7]}');
  t.equal(status, 202);
  t.match(json, {
    accepted: 2,
    dead_lettered: 2,
    warnings: [
      { code: "missing_field", path: "alerts[1].name" },
      { code: "missing_field", path: "alerts[3].name" },
    ],
  });
  const letters = world.log.items().filter((item) => (item as { type?: string }).type === "dead_letter");
  t.same(
    letters.map((letter) => Buffer.from((letter as { raw_base64: string }).raw_base64, "base64").toString()).toSorted(),
    ["7", '{"nam":"b"}'],
  );
  t.equal(await world.metric('winnow_events_accepted_total{integration="prom"}'), 2);
  t.equal(await world.metric('winnow_events_received_total{integration="prom"}'), 4);
  t.equal(await world.metric('winnow_events_rejected_total{integration="prom",reason="missing_field"}'), 2);
  t.equal(await world.metric("winnow_ack_seconds_count"), 1);
});

await t.test("a parser that throws costs nothing: the body is kept and answered 202", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { status, json } = await world.post('{"boom":true}');
  t.equal(status, 202);
  t.match(json, { accepted: 0, dead_lettered: 1, warnings: [{ code: "parser_failed" }] });
  t.match(world.log.items(), [{ type: "dead_letter", reason: { code: "parser_failed" }, bytes: 13 }]);
});

await t.test("a delivery without alerts is answered 202 and says so", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const { status, json } = await world.post('{"alerts":[]}');
  t.equal(status, 202);
  t.match(json, { accepted: 0, dead_lettered: 0, warnings: [{ code: "empty_delivery" }] });
  t.same(world.log.appends, []);
});

await t.test("the same bytes twice give the same ids: the second delivery is recognisable", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const first = await world.post('{"alerts":[{"name":"a"},{}]}');
  world.clock.advance(60_000);
  const second = await world.post('{"alerts":[{"name":"a"},{}]}');
  t.equal(first.json["id"], second.json["id"]);
  const ids = world.log.items().map((item) => {
    const { event_id, id } = item as { event_id?: string; id?: string };
    return event_id ?? id;
  });
  t.equal(ids.length, 4);
  t.equal(new Set(ids).size, 2);
});

await t.test("when the log fails the sender is told to come again, and readiness goes off for a while", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.clock.advance(1_000);
  t.ok(world.receiver.ready());
  t.equal(world.receiver.readySinceMs(), world.clock.now() - 1_000);
  world.log.failNext("log_write_failed");
  const { status, headers, json } = await world.post(alerts("a"));
  t.equal(status, 503);
  t.ok(Number(headers.get("retry-after")) > 0);
  t.match(json, { status: 503, code: "unavailable" });
  t.same(world.log.items(), []);
  t.same(world.delivered, []);
  t.notOk(world.receiver.ready());
  t.equal(world.receiver.readySinceMs(), world.clock.now());
  world.clock.advance(5_000);
  t.ok(world.receiver.ready());
  t.equal((await world.post(alerts("a"))).status, 202);
  t.equal(await world.metric('winnow_events_rejected_total{integration="prom",reason="log_failed"}'), 1);
});

await t.test("a full log asks for a longer pause", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.log.failNext("log_full");
  const { status, headers } = await world.post(alerts("a"));
  t.equal(status, 503);
  t.equal(headers.get("retry-after"), "30");
});

await t.test(
  "a delivery that reached only some partitions is answered 503, since the sender must repeat it",
  async (t) => {
    const world = await startWorld();
    t.teardown(world.close);
    world.log.failNext("log_write_failed");
    const { status } = await world.post(alerts(...Array.from({ length: 20 }, (_, n) => `alert-${n}`)));
    t.equal(status, 503);
    t.equal(world.log.appends.length, 4);
    t.ok(world.log.items().length > 0, "three partitions have their part");
  },
);

await t.test("deliveries beyond the pending limits are answered 503 at once, and the room comes back", async (t) => {
  const world = await startWorld({ limits: { pendingDeliveries: 2 } });
  t.teardown(world.close);
  world.log.hold();
  const begun = Promise.withResolvers<void>();
  world.log.onAppend = () => {
    begun.resolve();
  };
  const first = world.post(alerts("a"));
  await begun.promise;
  const second = rawSocket(world.port);
  second.write(`POST /v1/in/prom HTTP/1.1\r\nHost: h\r\nX-Winnow-Token: ${token}\r\nContent-Length: 20\r\n\r\nhalf`);
  let refused = await world.post(alerts("c"));
  while (refused.status !== 503) refused = await world.post(alerts("c"));
  t.match(refused.json, { code: "queue_full" });
  t.ok(refused.headers.has("retry-after"));
  second.socket.destroy();
  world.log.release();
  t.equal((await first).status, 202);
  let again = await world.post(alerts("d"));
  while (again.status !== 202) again = await world.post(alerts("d"));
  t.ok(true, "the places of the finished and of the broken delivery are free again");
  t.equal(await world.metric('winnow_events_rejected_total{integration="prom",reason="aborted"}'), 1);
});

await t.test("bytes that wait are limited too, while they are being read", async (t) => {
  const world = await startWorld({ limits: { pendingBytes: 1_000 } });
  t.teardown(world.close);
  const { status, json } = await world.post(`{"alerts":[],"pad":"${"x".repeat(2_000)}"}`);
  t.equal(status, 503);
  t.match(json, { code: "queue_full" });
  t.equal((await world.post(alerts("a"))).status, 202, "the bytes of the refused delivery are given back");
});

await t.test("requests are still served while the receiver closes", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.receiver.beginClosing();
  t.notOk(world.receiver.ready());
  t.equal((await world.post(alerts("a"))).status, 202);
});

await t.test("a reload swaps the integrations, and a bad one leaves them as they are", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  world.receiver.reload([integration("other")]);
  t.equal((await world.post(alerts("a"))).status, 404);
  const headers = { "x-winnow-token": token };
  t.equal((await world.send("/v1/in/other", { headers, body: alerts("a") })).status, 202);
  t.throws(
    () => {
      world.receiver.reload([integration("x"), integration("x")]);
    },
    { code: "config_invalid" },
  );
  t.throws(
    () => {
      world.receiver.reload([integration("x", undefined, { credentials: [] })]);
    },
    { code: "config_invalid" },
  );
  t.equal((await world.send("/v1/in/other", { headers, body: alerts("a") })).status, 202);
});

await t.test("a trace parent goes into the record when it is well-formed", async (t) => {
  const world = await startWorld();
  t.teardown(world.close);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await world.post(alerts("a"), { traceparent });
  await world.post(alerts("a"), { traceparent: "x".repeat(5_000) });
  const values = [0, 1, 2, 3].flatMap((partition) => world.log.values(partition));
  t.match(values, [
    { seq: 1, traceparent },
    { seq: 2, traceparent: undefined },
  ]);
});

await t.test("a large delivery is cut into records of at most the limit", async (t) => {
  const world = await startWorld({ limits: { recordBytes: 4_096 } });
  t.teardown(world.close);
  const names = Array.from({ length: 60 }, (_, n) => `alert-${n}`);
  const { json } = await world.post(alerts(...names));
  t.match(json, { accepted: 60 });
  const values = [0, 1, 2, 3].flatMap((partition) => world.log.values(partition));
  t.ok(values.length > 8);
  t.ok(values.every((value) => Buffer.byteLength(JSON.stringify(value)) <= 4_096));
  t.equal(world.log.items().length, 60);
});

await t.test("an event larger than a record becomes a dead letter, and the others go on", async (t) => {
  const world = await startWorld({ limits: { recordBytes: 4_096, deadLetterBytes: 512 } });
  t.teardown(world.close);
  const { status, json } = await world.post(
    JSON.stringify({ alerts: [{ name: "a" }, { name: "b", labels: { text: "x".repeat(4_000) } }] }),
  );
  t.equal(status, 202);
  t.match(json, { accepted: 1, dead_lettered: 1, warnings: [{ code: "event_too_large", path: "[1]" }] });
});

await t.test("more alerts than one delivery may hold are refused, with the head kept", async (t) => {
  const world = await startWorld({ limits: { itemsPerDelivery: 3 } });
  t.teardown(world.close);
  t.equal((await world.post(alerts("a", "b", "c"))).status, 202);
  const { status, json } = await world.post(alerts("a", "b", "c", "d"));
  t.equal(status, 413);
  t.match(json, { code: "too_many_items" });
  t.equal(world.log.items().length, 4);
});
