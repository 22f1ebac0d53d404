import fc from "fast-check";
import t from "tap";
import { CrashWorld, worldPartitions } from "./crash-world.ts";

const partition = fc.nat(worldPartitions - 1);

// Few sizes, so that what is written over a failed group often ends where one of its records begins.
const bytes = fc.constantFrom(0, 0, 40, 250);

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("append"),
      partition,
      bytes,
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("settle") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fault"),
      call: fc.constantFrom("write", "sync", "sync", "syncDirectory", "open", "truncate", "unlink"),
      errno: fc.constantFrom("EIO", "ENOSPC"),
      skip: fc.nat(3),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stop"), calls: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart"), how: fc.constantFrom("close", "kill", "power") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("trim"), partition }) },
);

interface Command {
  readonly do: string;
  readonly [field: string]: unknown;
}

async function obey(world: CrashWorld, step: Command): Promise<void> {
  if (step.do === "append") {
    const count = (step["count"] as number | undefined) ?? 1;
    for (let n = 0; n < count; n += 1) world.append(step["partition"] as number, step["bytes"] as number);
  }
  if (step.do === "settle") await world.settle();
  if (step.do === "trim") await world.trim(step["partition"] as number);
  if (step.do === "restart") await world.restart(step["how"] as "close");
  if (step.do === "stop") world.disk.stopAt = world.disk.calls + (step["calls"] as number);
  if (step.do === "fault") {
    const { call, errno, skip, times } = step as unknown as {
      call: "write";
      errno: string;
      skip: number;
      times: number;
    };
    world.disk.faults.push({ call, errno, skip, times });
  }
}

async function run(world: CrashWorld, steps: readonly Command[]): Promise<void> {
  await world.start();
  for (const step of steps) await obey(world, step);
  await world.settle();
  await world.check();
  world.disk.faults.length = 0;
  await world.restart("power");
  for (let n = 0; n < worldPartitions; n += 1) world.append(n, 10);
  await world.settle();
  await world.restart("power");
}

await t.test("whatever fails, stops or is forgotten, what was accepted stays once and in order", async (t) => {
  const total = { accepted: 0, refused: 0, adopted: 0, trimmed: 0, faults: 0, stops: 0, torn: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 10, maxLength: 60, size: "max" }),
      fc.nat(),
      async (steps, seed) => {
        const world = new CrashWorld(seed);
        await run(world, steps);
        for (const [name, count] of Object.entries({ ...world.seen, ...world.disk.happened })) {
          total[name as keyof typeof total] += count;
        }
        if (world.problems.length > 0) throw new Error(world.problems.join("\n"));
      },
    ),
    { numRuns: 300 },
  );
  for (const [name, count] of Object.entries(total)) t.ok(count > 0, `${name} happened ${count} times`);
});

await t.test("a refusal holds over a power cut right behind it, when the disk works again", async (t) => {
  for (let seed = 0; seed < 60; seed += 1) {
    const world = new CrashWorld(seed);
    await world.start();
    world.append(0, 40);
    await world.settle();
    const call = seed % 3 === 0 ? "write" : "sync";
    world.disk.faults.push({ call, errno: "EIO", skip: 0, times: 1 });
    for (let n = 0; n < 3; n += 1) world.append(0, 40);
    await world.settle();
    world.holdRefusals();
    await world.restart("power");
    t.equal(world.seen.refused, 3);
    t.same(world.problems, [], `seed ${seed}`);
  }
});

const scenario: readonly Command[] = [
  { do: "append", partition: 0, bytes: 100 },
  { do: "append", partition: 1, bytes: 100 },
  { do: "settle" },
  ...Array.from({ length: 8 }, (_, n) => ({ do: "append", partition: n % 2, bytes: 250 })),
  { do: "settle" },
  { do: "fault", call: "sync", errno: "EIO", skip: 0, times: 1 },
  { do: "append", partition: 0, bytes: 200 },
  { do: "append", partition: 1, bytes: 20 },
  { do: "settle" },
  { do: "append", partition: 0, bytes: 30 },
  { do: "append", partition: 1, bytes: 30 },
  { do: "settle" },
  { do: "trim", partition: 0 },
  { do: "trim", partition: 0 },
  { do: "append", partition: 0, bytes: 30 },
  { do: "settle" },
];

await t.test("a stop at every single call to the disk loses and doubles nothing", async (t) => {
  const whole = new CrashWorld(1);
  await run(whole, scenario);
  t.same(whole.problems, []);
  let stops = 0;
  for (const how of ["kill", "power"] as const) {
    for (let call = 1; call <= whole.disk.calls; call += 1) {
      const world = new CrashWorld(call);
      world.disk.stopAt = call;
      await run(world, [...scenario, { do: "restart", how }]);
      stops += world.disk.happened.stops;
      if (world.problems.length > 0) t.fail(`stopped at call ${call}: ${world.problems.join("; ")}`);
    }
  }
  t.ok(stops > 100, `${stops} stops happened`);
});
