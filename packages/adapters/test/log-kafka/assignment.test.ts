import fc from "fast-check";
import t from "tap";
import { assignPartitions, type Claim } from "../../src/log-kafka/assignment.ts";

/** Lets members join and leave in any order, and plays the rounds until nothing moves any more. */
class Group {
  readonly partitions: number;
  readonly members = new Map<string, { owned: number[]; generation: number }>();
  generation = 0;

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  get claims(): Claim[] {
    return [...this.members].map(([memberId, { owned, generation }]) => ({ memberId, owned, generation }));
  }

  /** One generation; true when a member lost something and will join again. */
  round(): boolean {
    this.generation += 1;
    const shares = assignPartitions(this.partitions, this.claims);
    let lost = false;
    for (const [memberId, member] of this.members) {
      const mine = shares.get(memberId) ?? [];
      if (member.owned.some((partition) => !mine.includes(partition))) lost = true;
      member.owned = [...mine];
      member.generation = this.generation;
    }
    return lost;
  }
}

await t.test("partitions are shared evenly, never by two, and only what must move moves", async (t) => {
  const steps = fc.array(fc.record({ member: fc.integer({ min: 0, max: 5 }), joins: fc.boolean() }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 17 }), steps, (partitions, changes) => {
      const group = new Group(partitions);
      for (const { member, joins } of changes) {
        const id = `member-${member}`;
        if (!joins) group.members.delete(id);
        else if (!group.members.has(id)) group.members.set(id, { owned: [], generation: -1 });
        if (group.members.size === 0) continue;
        const before = new Map(group.claims.map(({ memberId, owned }) => [memberId, owned]));
        let rounds = 1;
        while (group.round()) rounds += 1;
        const sizes = group.claims.map(({ owned }) => owned.length);
        const all = group.claims.flatMap(({ owned }) => owned);
        const least = Math.floor(partitions / group.members.size);
        const taken = [...before].flatMap(([memberId, owned]) =>
          owned.filter((partition) => !group.members.get(memberId)?.owned.includes(partition)),
        );
        const newcomer = before.get(id)?.length === 0 ? (group.members.get(id)?.owned.length ?? 0) : 0;
        if (rounds > 2) throw new Error(`${rounds} rounds`);
        if (new Set(all).size !== partitions || all.length !== partitions) throw new Error(`owned: ${all.join()}`);
        if (Math.max(...sizes) > least + 1 || Math.min(...sizes) < least) throw new Error(`sizes: ${sizes.join()}`);
        if (taken.length > newcomer) throw new Error(`moved ${taken.join()} for ${newcomer}`);
      }
    }),
    { numRuns: 500 },
  );
  t.pass("500 histories");
});

await t.test("a partition that must move is free for one round", async (t) => {
  const claims = [
    { memberId: "a", generation: 1, owned: [0, 1, 2, 3] },
    { memberId: "b", generation: -1, owned: [] },
  ];
  t.strictSame(
    assignPartitions(4, claims),
    new Map([
      ["a", [0, 1]],
      ["b", []],
    ]),
  );
});

await t.test("of two who claim a partition the one with the later generation has it", async (t) => {
  const claims = [
    { memberId: "a", generation: 7, owned: [0, 1] },
    { memberId: "b", generation: 3, owned: [0, 1] },
  ];
  t.strictSame(assignPartitions(4, claims).get("a"), [0, 1]);
  t.strictSame(assignPartitions(4, claims).get("b"), [2, 3]);
  t.strictSame(assignPartitions(2, [{ memberId: "a", generation: 0, owned: [5, -1] }]).get("a"), [0, 1]);
});
