import type { OutputId, OutputsRecord } from "@winnow/contracts";
import t from "tap";
import { Marks } from "../src/marks.ts";

const body = { type: "dead_letter_action", id: "x", action: "discard", actor: "a", at_ms: 0 } as const;

function outputs(...chain: readonly (readonly [id: OutputId, prev: OutputId | null])[]): OutputsRecord {
  return {
    kind: "outputs",
    stage: "A",
    partition: 1,
    at_ms: 0,
    items: chain.map(([id, prev]) => ({ id, prev, body })),
  };
}

function events(seq: number) {
  return { kind: "events" as const, receiver_id: "r", seq, received_ms: 0, items: [] };
}

await t.test("a receiver's records are taken once and in order, from 1 on", async (t) => {
  const marks = new Marks({});
  t.equal(marks.takeEvents(events(1)), true);
  t.equal(marks.takeEvents(events(1)), false);
  t.equal(marks.takeEvents(events(2)), true);
  t.throws(() => marks.takeEvents(events(4)), { code: "input_gap" });
  t.throws(() => new Marks({}).takeEvents(events(2)), "an unknown receiver starts with 1");
});

await t.test("outputs are taken by their chain, however they were gathered into records", async (t) => {
  const marks = new Marks({});
  t.equal(
    marks.takeOutputs(
      outputs(
        [[0, 0, 0], null],
        [
          [0, 0, 1],
          [0, 0, 0],
        ],
      ),
    ).length,
    2,
  );
  const again = outputs(
    [
      [0, 0, 1],
      [0, 0, 0],
    ],
    [
      [3, -1, 0],
      [0, 0, 1],
    ],
    [
      [3, 0, 0],
      [3, -1, 0],
    ],
  );
  t.same(
    marks.takeOutputs(again).map(({ id }) => id),
    [
      [3, -1, 0],
      [3, 0, 0],
    ],
    "what was taken is dropped",
  );
  t.throws(
    () =>
      marks.takeOutputs(
        outputs([
          [5, 0, 0],
          [4, 0, 0],
        ]),
      ),
    { code: "input_gap" },
  );
  t.throws(
    () =>
      new Marks({}).takeOutputs(
        outputs([
          [5, 0, 0],
          [4, 0, 0],
        ]),
      ),
    "an unknown upstream starts with null",
  );
});

await t.test("marks survive a commit", async (t) => {
  const marks = new Marks({});
  marks.takeEvents(events(1));
  marks.takeOutputs(outputs([[2, 0, 0], null]));
  const restored = new Marks(JSON.parse(JSON.stringify(marks)) as Record<string, number[]>);
  t.equal(restored.takeEvents(events(1)), false);
  t.same(restored.takeOutputs(outputs([[2, 0, 0], null])), []);
});
