import { openPostgresIncidentStore, type PostgresStore } from "@winnow/adapters/store-postgres";
import type { DeliveryRow } from "@winnow/ports";
import { incidentSamples } from "@winnow/testkit";
import t, { type Test } from "tap";
import { dropSchemas, FreshNames, outsider, realPostgres, silentLog } from "./support.ts";

const { entry, incidentRow, keyOf, metaAt, batch, member, wish } = incidentSamples;

const url = await realPostgres(t);

if (url !== null) {
  const admin = await outsider(t, url);
  const fresh = new FreshNames();
  const stores = async (t: Test, count: number): Promise<PostgresStore[]> => {
    const names = fresh.next();
    const options = { url, ...names, partitions: 4, coalesceMs: 0, poolMax: 3, log: silentLog };
    const opened: PostgresStore[] = [];
    for (let n = 0; n < count; n += 1) opened.push(await openPostgresIncidentStore(options));
    t.teardown(async () => {
      for (const store of opened) await store.close();
      await dropSchemas(admin, names);
    });
    return opened;
  };

  await t.test("checkpoints of many partitions leave connections for everything else", async (t) => {
    const [store] = await stores(t, 1);
    if (store === undefined) return;
    const go = Promise.withResolvers<void>();
    async function* slowly() {
      yield [];
      await go.promise;
    }
    const places = [0, 1, 2, 3].flatMap((partition) => [
      { stage: "A" as const, partition },
      { stage: "B" as const, partition },
    ]);
    const saves = places.map((at) => store.saveCheckpoint(at, { previous: 0, meta: metaAt(5), changes: slowly() }));
    t.type(await store.storeNow(), "number", "while all of them are under way");
    go.resolve();
    t.same(new Set((await Promise.all(saves)).map((result) => "saved" in result)), new Set([true]));
  });

  await t.test("the store's clock is the database's", async (t) => {
    const [store] = await stores(t, 1);
    if (store === undefined) return;
    const ask = async () => {
      const { rows } = await admin.query<{ ms: string }>("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms");
      return Number(rows[0]?.ms);
    };
    const before = Math.floor(await ask());
    const now = await store.storeNow();
    t.ok(before <= now && now <= (await ask()), `${now}`);
    await store.claim(0, "one");
    const part = batch({ incidents: [incidentRow("i")], wishes: [wish("i", { at_ms: 0 })] });
    await store.commit(0, "one", 0, { meta: metaAt(1), batch: part });
    const [row] = await store.lease("snow", { token: "r", leaseMs: 30_000, killMs: 0, limit: 1 });
    t.ok((row?.lease_until_ms ?? 0) >= now + 30_000 && (row?.lease_until_ms ?? 0) <= (await ask()) + 30_000);
  });

  await t.test("stage C and routers at the same incidents never wait in a circle nor lose a line", async (t) => {
    const [recording, ...routing] = await stores(t, 3);
    if (recording === undefined) return;
    const ids = Array.from({ length: 12 }, (_, n) => `i${n}`);
    const rounds = 25;
    await recording.claim(0, "one");
    await recording.claim(1, "one");
    await recording.commit(0, "one", 0, {
      meta: metaAt(1),
      batch: batch({ incidents: ids.map((id) => incidentRow(id)) }),
    });
    let written = 0;
    const record = async (partition: number, order: readonly string[]) => {
      const first = partition === 0 ? 1 : 0;
      for (let round = first; round < rounds + first; round += 1) {
        const part = batch({
          // Every second commit speaks of incidents that it does not bring.
          incidents: round % 2 === 0 ? order.map((id) => incidentRow(id, { version: round })) : [],
          timeline: order.map((incident_id) => ({ incident_id, row: { ...entry(`c${round}`), seq: 0 } })),
          wishes: order.map((id) => wish(id, { desired_version: round + 1, urgent: true, at_ms: 0 })),
        });
        const result = await recording.commit(partition, "one", round, { meta: metaAt(round + 1), batch: part });
        t.strictSame(result, { committed: true });
        written += order.length;
      }
    };
    const over = new AbortController();
    const settle = async (store: PostgresStore, token: string, row: DeliveryRow, n: number) => {
      const sent = await store.markInflight(keyOf(row), token, { version: row.desired_version, seq: 0 });
      if (sent === null) return;
      const isLast = n % 3 === 0;
      const done = await store.settle(keyOf(row), token, {
        delivery_state: n % 5 === 0 ? "parked" : "idle",
        applied_version: row.desired_version,
        ...(n % 2 === 0 ? { timeline: entry(token) } : {}),
        ...(isLast ? { successor: true } : {}),
      });
      if (done && n % 2 === 0) written += 1;
    };
    const route = async (store: PostgresStore, token: string) => {
      for (let n = 0; !over.signal.aborted; ) {
        for (const row of await store.lease("snow", { token, leaseMs: 60_000, killMs: 0, limit: 4 })) {
          n += 1;
          await settle(store, token, row, n);
        }
        await store.requeue("snow");
      }
    };
    const recorders = Promise.all([record(0, ids), record(1, ids.toReversed())]).finally(() => {
      over.abort();
    });
    await Promise.all([recorders, ...routing.map((store, n) => route(store, `r${n}`))]);

    const seqs = await Promise.all(
      ids.map(async (id) => (await recording.timeline(id, 0, 100_000)).map(({ seq }) => seq)),
    );
    for (const of of seqs)
      t.strictSame(
        of,
        of.map((_, n) => n + 1),
        "numbered without a gap",
      );
    t.equal(seqs.flat().length, written, "every line that was confirmed is there");
    const alive = new Set(["due", "inflight", "unknown"]);
    const rows = await recording.deliveriesOf(ids);
    for (const id of ids) {
      const generations = rows.filter((row) => row.incident_id === id);
      t.equal(generations.at(-1)?.desired_version, rounds + 1, "the last wish is known to the newest generation");
      t.notOk(
        generations.slice(0, -1).some((row) => alive.has(row.delivery_state)),
        "no older one is alive",
      );
    }
    t.ok(
      rows.some((row) => row.generation > 2),
      "there were successors",
    );
  });

  await t.test("of commits for one position, and of a claim beside them, one after the other counts", async (t) => {
    const [first, second, heir] = await stores(t, 3);
    if (first === undefined || second === undefined || heir === undefined) return;
    await first.claim(0, "one");
    let position = 0;
    for (let round = 0; round < 30; round += 1) {
      const results = await Promise.all(
        [first, second].map((store, who) =>
          store.commit(0, "one", position, {
            meta: metaAt(position + 1),
            batch: batch({ incidents: [incidentRow(`i${round} by ${who}`)] }),
          }),
        ),
      );
      t.equal(results.filter((result) => "committed" in result).length, 1);
      position += 1;
    }
    t.equal((await first.incidents({ limit: 100 })).items.length, 30, "what was refused left nothing");
    for (let round = 0; round < 30; round += 1) {
      const part = { meta: metaAt(position + 1), batch: batch({ incidents: [incidentRow(`late ${round}`)] }) };
      const committing = first.commit(0, "one", position, part);
      const { meta } = await heir.claim(0, `heir ${round}`);
      const result = await committing;
      t.equal(meta?.position, "committed" in result ? position + 1 : position, "the heir knows what was committed");
      position = meta?.position ?? 0;
      await first.claim(0, "one");
    }
  });

  await t.test("pruning beside commits never takes what has just come to life", async (t) => {
    const [recording, pruning] = await stores(t, 2);
    if (recording === undefined || pruning === undefined) return;
    await recording.claim(0, "one");
    const resolved = (id: string) => incidentRow(id, { state: "resolved", resolved_ms: 1, opened_ms: 0 });
    const over = new AbortController();
    const prune = (async () => {
      let removed = 0;
      while (!over.signal.aborted) removed += await pruning.prune(2, 3);
      return removed;
    })();
    for (let round = 0; round < 30; round += 1) {
      const [old, living] = [`old${round}`, `living${round}`];
      const part = batch({
        incidents: [resolved(old), resolved(living)],
        members: [old, living].map((incident_id) => ({ incident_id, member: member("f") })),
        wishes: [wish(living, { at_ms: 0 })],
      });
      await recording.commit(0, "one", round, { meta: metaAt(round + 1), batch: part });
    }
    over.abort();
    const removed = (await prune) + (await pruning.prune(2, 1_000));
    t.equal(removed, 30);
    t.equal(await pruning.prune(2, 1_000), 0);
    const left = (await recording.incidents({ limit: 100 })).items.map((row) => row.snapshot.incident_id);
    t.equal(left.length, 30);
    t.ok(left.every((id) => id.startsWith("living")));
    t.equal((await recording.deliveriesOf(left)).length, 30);
  });

  await t.test("a batch larger than a statement takes is stored whole", async (t) => {
    const [store] = await stores(t, 1);
    if (store === undefined) return;
    await store.claim(0, "one");
    const ids = Array.from({ length: 1_201 }, (_, n) => `i${String(n).padStart(5, "0")}`);
    const part = batch({
      incidents: ids.map((id, n) => incidentRow(id, { number: n })),
      members: ids.map((incident_id) => ({ incident_id, member: member(`f ${incident_id}`) })),
      timeline: ids.flatMap((incident_id) => [1, 2].map((seq) => ({ incident_id, row: { ...entry(`l${seq}`), seq } }))),
      wishes: ids.map((id) => wish(id)),
    });
    t.strictSame(await store.commit(0, "one", 0, { meta: metaAt(1), batch: part }), { committed: true });
    const loaded = await store.load(0, "one", 1, ids);
    t.ok("rows" in loaded && loaded.rows.length === ids.length);
    t.ok("rows" in loaded && loaded.rows.every((row, n) => row.snapshot.number === n && row.timeline_seq === 2));
    t.equal((await store.deliveriesOf(ids)).length, ids.length);
    t.equal((await store.incidentsOfAlerts(ids.map((id) => `f ${id}`))).size, ids.length);
    t.strictSame(
      (await store.timeline("i01200", 0, 9)).map(({ seq, text }) => [seq, text]),
      [
        [1, "l1"],
        [2, "l2"],
      ],
    );
  });
}
