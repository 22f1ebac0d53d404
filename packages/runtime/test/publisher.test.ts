import type { OutputBody, OutputId } from "@winnow/contracts";
import { type ErrorCode, WinnowError } from "@winnow/platform";
import type { AppendRecord, EventLog } from "@winnow/ports";
import { VirtualProcess, VirtualTime } from "@winnow/testkit";
import fc from "fast-check";
import t from "tap";
import { Marks } from "../src/marks.ts";
import { Publisher } from "../src/publisher.ts";

/** What becomes of an append: `done_but_unknown` is written, though the caller hears of an error. */
type Fate = ErrorCode | "done" | "done_but_unknown";

const to = { topic: "transitions", partition: 0 } as const;
const name = "transitions.0";
const idOf = (n: number): OutputId => [n, 0, 0];
/** Nothing reads it here. */
const bodyOf = (n: number, width = 0) => ({ n, pad: "x".repeat(width) }) as unknown as OutputBody;

class World {
  readonly time = new VirtualTime(1_000_000);
  readonly written: AppendRecord[] = [];
  fates: Fate[] = [];
  losses = 0;
  /** Most outputs that the log takes in one record. */
  outputsMax = Number.POSITIVE_INFINITY;
  #isBusy = false;
  #isLosing = false;

  publisher(after: number | null): Publisher {
    const { clock } = new VirtualProcess("correlator", this.time);
    return new Publisher({
      log: this.#log,
      clock,
      from: { stage: "A", partition: 3 },
      published: after === null ? {} : { [name]: idOf(after) },
      signal: new AbortController().signal,
    });
  }

  get #log(): EventLog {
    const log: Partial<EventLog> = {
      append: async (_topic, _partition, records) => this.#append(records),
      losses: () => this.losses,
    };
    return log as EventLog;
  }

  async #append(records: readonly AppendRecord[]): Promise<number> {
    if (this.#isBusy) throw new Error("two appends are under way");
    this.#isBusy = true;
    await Promise.resolve();
    this.#isBusy = false;
    if (this.#isLosing) {
      // As a broker that comes back: found by this append, which writes nothing.
      this.#isLosing = false;
      this.losses += 1;
      throw new WinnowError("log_unknown", "the log lost records");
    }
    if (records.some(({ value }) => value.kind === "outputs" && value.items.length > this.outputsMax))
      throw new WinnowError("log_record_too_large", "a record is too large");
    const fate = this.fates.shift() ?? "done";
    if (fate === "done" || fate === "done_but_unknown") this.written.push(...records);
    if (fate === "done") return this.written.length - records.length;
    throw new WinnowError(fate === "done_but_unknown" ? "log_unknown" : fate, "as planned");
  }

  /** The log loses its last records; the next append finds it. */
  loseTail(records: number): void {
    this.written.splice(this.written.length - records);
    this.#isLosing = true;
  }

  /** What a reader takes from the log; throws `input_gap` at a hole. */
  get taken(): number[] {
    const marks = new Marks({});
    return this.written.flatMap(({ value }) =>
      value.kind === "outputs" ? marks.takeOutputs(value).map(({ id }) => id[0]) : [],
    );
  }

  /** Lets time go on until it is done; resolves with the code of its error. */
  async codeOf(work: Promise<void>): Promise<string> {
    const codes: string[] = [];
    work.then(
      () => codes.push("none"),
      (error: unknown) => codes.push(error instanceof WinnowError ? error.code : String(error)),
    );
    while (codes.length === 0) await this.time.runUntil(this.time.now + 10);
    return codes[0] ?? "";
  }
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

await t.test("a failure that passes is waited out, a refusal that lasts ends the session at once", async (t) => {
  const world = new World();
  const publisher = world.publisher(null);
  world.fates = ["log_write_failed", "log_unknown", "log_full", "done_but_unknown"];
  publisher.publish(to, idOf(1), bodyOf(1), 0);
  t.equal(await world.codeOf(publisher.drain()), "none");
  world.fates = ["log_refused"];
  for (const n of [2, 3]) publisher.publish(to, idOf(n), bodyOf(n), 0);
  const began = world.time.now;
  t.equal(await world.codeOf(publisher.drain()), "log_refused");
  t.ok(world.time.now - began < 100, "nobody waits for it in silence");
  publisher.publish(to, idOf(4), bodyOf(4), 0);
  t.equal(await world.codeOf(publisher.drain()), "log_refused", "and nothing is written behind it");
  t.same(world.taken, [1]);
});

await t.test(
  "outputs that are too large together go one by one, and one that is so alone needs a person",
  async (t) => {
    const world = new World();
    world.outputsMax = 1;
    const publisher = world.publisher(null);
    for (const n of upTo(5)) publisher.publish(to, idOf(n), bodyOf(n), 0);
    t.equal(await world.codeOf(publisher.drain()), "none");
    t.equal(world.written.length, 5);
    t.same(world.taken, upTo(5));
    world.outputsMax = 10;
    for (const n of [6, 7]) publisher.publish(to, idOf(n), bodyOf(n), 0);
    t.equal(await world.codeOf(publisher.drain()), "none");
    t.equal(world.written.length, 6, "and together again behind them");
    world.outputsMax = 0;
    publisher.publish(to, idOf(8), bodyOf(8), 0);
    t.equal(await world.codeOf(publisher.drain()), "log_record_too_large");
  },
);

const failing = fc.constantFrom<Fate>("done", "done_but_unknown", "log_write_failed", "log_refused", "log_full");

await t.test("whatever fails and is refused, a reader takes every output once, in order, without a hole", async (t) => {
  const plan = fc.record({
    fates: fc.array(failing, { maxLength: 40 }),
    steps: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 }),
    outputsMax: fc.integer({ min: 1, max: 6 }),
  });
  let refusals = 0;
  const property = fc.asyncProperty(plan, async ({ fates, steps, outputsMax }) => {
    const world = new World();
    Object.assign(world, { fates: [...fates], outputsMax });
    let committed = 0;
    let publisher = world.publisher(null);
    for (let step = 0; step < steps.length; ) {
      const count = steps[step] ?? 0;
      for (const n of upTo(count)) publisher.publish(to, idOf(committed + n), bodyOf(n), 0);
      if ((await world.codeOf(publisher.drain())) === "none") {
        committed += count;
        step += 1;
        continue;
      }
      // The session is over; the next one decides again from the commit on.
      refusals += 1;
      publisher = world.publisher(committed === 0 ? null : committed);
    }
    t.strictSame(world.taken, upTo(committed));
  });
  await fc.assert(property, { numRuns: 150 });
  t.ok(refusals > 50, `${refusals} sessions were refused`);
});

await t.test("where the log lost what it had taken nothing is written behind the hole, by nobody", async (t) => {
  const world = new World();
  const [finds, learns] = [world.publisher(null), world.publisher(null)];
  for (const n of [1, 2]) {
    finds.publish(to, idOf(n), bodyOf(n), 0);
    t.equal(await world.codeOf(finds.drain()), "none");
  }
  learns.publish(to, idOf(1), bodyOf(1), 0);
  t.equal(await world.codeOf(learns.drain()), "none");
  world.loseTail(2);
  for (const publisher of [finds, learns]) {
    publisher.publish(to, idOf(3), bodyOf(3), 0);
    t.equal(await world.codeOf(publisher.drain()), "log_unknown");
  }
  t.same(world.taken, [1]);
  const next = world.publisher(1);
  for (const n of [2, 3]) next.publish(to, idOf(n), bodyOf(n), 0);
  t.equal(await world.codeOf(next.drain()), "none");
  t.same(world.taken, [1, 2, 3], "the next session makes them again");
});
